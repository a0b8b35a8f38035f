/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library_size INPUT OUTPUT: loads, quantizes and saves, and nothing else. The benchmark compares
 * its size with that of an empty program.
 */
#include <stdio.h>
#include <tfquant/tfquant.h>

int main(int argc, char **argv) {
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL, *small = NULL;
    tq_recipe *recipe = NULL;
    if (argc != 3 || tq_recipe_create(NULL, &recipe, &error) != TQ_OK ||
        tq_load_file(argv[1], NULL, &model, &error) != TQ_OK ||
        tq_quantize(model, recipe, NULL, &small, &error) != TQ_OK ||
        tq_save_file(small, argv[2], NULL, &error) != TQ_OK)
        fprintf(stderr, "%s\n", error.message);
    tq_model_free(small);
    tq_model_free(model);
    tq_recipe_free(recipe);
    return error.status != TQ_OK;
}
