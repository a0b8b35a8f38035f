/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/custom.h"

#include <string.h>

#include "execute/call.h"
#include "execute/families.h"

tqi_run_operator *tqi_find_custom(const char *name) {
    static const struct {
        const char *name;
        tqi_run_operator *run;
    } known[] = {
        {"Convolution2DTransposeBias", tqi_run_transpose_conv_bias},
        {"MaxPoolingWithArgmax2D", tqi_run_max_pool_argmax},
        {"MaxUnpooling2D", tqi_run_max_unpooling},
        {"LiteRtMaxUnpooling2D", tqi_run_max_unpooling},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].run;
    return NULL;
}

tq_status tqi_custom_numbers(const tqi_call *call, uint32_t count, int32_t *numbers,
                             tq_error *error) {
    tqi_vector options = {0, 0};
    if (call->op && call->op->source)
        options = tqi_get_vector(&call->graph->view, call->op->source, TQI_OPERATOR_CUSTOM_OPTIONS);
    if (options.count / sizeof *numbers < count)
        return tqi_call_refuse(call, error, "its options are too short");
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = (int32_t)tqi_load_u32(call->graph->view.data + options.at + 4 * i);
    return TQ_OK;
}

tq_status tqi_run_custom(const tqi_call *call, tq_error *error) {
    tqi_run_operator *run = tqi_find_custom(call->graph->opcodes[call->op->opcode].custom);
    return run ? run(call, error) : tqi_call_refuse(call, error, "it is not known");
}
