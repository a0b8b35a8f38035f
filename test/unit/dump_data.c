/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the sets of inputs that the command finds for a model:
 *
 *     dump_data MODEL PATH [LOW HIGH]
 *
 * For each input of each set a line "SET TYPE BYTES DIMENSION ..." and then its bytes. Exit status
 * 1 with "PATH: why" on standard error where they can't be read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../examples/data_sets.h"

static tq_status dump(void *opaque, uint64_t set, const tq_array *inputs, uint32_t n_inputs,
                      tq_error *error) {
    (void)opaque;
    (void)error;
    for (uint32_t i = 0; i < n_inputs; i++) {
        printf("%" PRIu64 " %" PRId32 " %" PRIu64, set, inputs[i].type, inputs[i].bytes);
        for (uint32_t k = 0; k < inputs[i].rank; k++)
            printf(" %" PRId32, inputs[i].shape[k]);
        putchar('\n');
        fwrite(inputs[i].data, 1, (size_t)inputs[i].bytes, stdout);
    }
    return TQ_OK;
}

int main(int argc, char **argv) {
    tq_model *model = NULL;
    struct data_sets *sets = NULL;
    tq_error error = TQ_ERROR_INIT;
    double range[2];
    if (argc != 3 && argc != 5)
        return 2;
    if (argc == 5) {
        range[0] = atof(argv[3]);
        range[1] = atof(argv[4]);
    }
    tq_status status = tq_load_file(argv[1], NULL, &model, &error);
    if (status == TQ_OK)
        status = data_sets_open(argv[2], model, argc == 5 ? range : NULL, &sets, &error);
    if (status == TQ_OK)
        status = data_sets_each(sets, dump, NULL, &error);
    if (status != TQ_OK)
        fprintf(stderr, "%s: %s\n", sets != NULL ? data_sets_culprit(sets) : argv[1],
                error.message);
    data_sets_free(sets);
    tq_model_free(model);
    return status == TQ_OK ? 0 : 1;
}
