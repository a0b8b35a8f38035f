/* SPDX-License-Identifier: Apache-2.0 */
/* quantize_file INPUT OUTPUT: the shortest whole use of the library. */
#include <tfquant/tfquant.h>

#include <stdio.h>

int main(int argc, char **argv) {
    tq_error error = TQ_ERROR_INIT;
    tq_recipe *recipe = NULL;
    tq_model *model = NULL, *smaller = NULL;
    if (argc != 3) {
        fputs("usage: quantize_file INPUT OUTPUT\n", stderr);
        return 2;
    }

    tq_status status = tq_recipe_create("dynamic_wi8_afp32", &recipe, &error);
    if (status == TQ_OK)
        status = tq_load_file(argv[1], NULL, &model, &error);
    if (status == TQ_OK)
        status = tq_quantize(model, recipe, NULL, &smaller, &error);
    if (status == TQ_OK)
        status = tq_save_file(smaller, argv[2], NULL, &error);
    if (status != TQ_OK)
        fprintf(stderr, "%s: %s\n", tq_status_name(status), error.message);

    tq_model_free(smaller);
    tq_model_free(model);
    tq_recipe_free(recipe);
    return status == TQ_OK ? 0 : 1;
}
