/* SPDX-License-Identifier: Apache-2.0 */
/* In place of refine.c where the library is built without the executor. */
#include "quantize/refine.h"

#include <math.h>

tq_status tqi_refine(tqi_refinement *refinement, tqi_plan *plan, const tqi_graph *graph,
                     const tqi_refine_options *options, tqi_arena *arena, tq_error *error) {
    (void)plan, (void)graph, (void)options, (void)arena, (void)error;
    *refinement = (tqi_refinement){.error = NAN, .plain_error = NAN, .refusal = ""};
    return TQ_OK;
}
