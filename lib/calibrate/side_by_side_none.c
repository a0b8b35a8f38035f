/* SPDX-License-Identifier: Apache-2.0 */
/* In place of side_by_side.c where the library is built without the executor. */
#include "calibrate/side_by_side.h"

tq_status tqi_run_side_by_side(tqi_side_by_side *result, const tqi_graph *reference,
                               const tqi_graph *other, const tqi_compare_options *options,
                               tqi_arena *arena, tq_error *error) {
    (void)result, (void)reference, (void)other, (void)options, (void)arena;
    return tqi_fail(error, TQ_ERR_UNSUPPORTED,
                    "models can't be compared: this library was built without its executor");
}
