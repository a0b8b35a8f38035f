/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_verify.h"

#include <math.h>

static void put_index(struct json_out *json, const char *key, int32_t index) {
    json_key(json, key);
    if (index == TQ_NO_INDEX)
        json_null(json);
    else
        json_int(json, index);
}

static bool is_exact(double snr_db) {
    return isinf(snr_db) && snr_db > 0;
}

static void put_comparison(struct json_out *json, uint32_t index, const tq_comparison *c) {
    json_open(json, '{');
    json_put_uint(json, "index", index);
    json_put_string(json, "name", c->name);
    json_put_uint(json, "subgraph", c->subgraph);
    put_index(json, "op", c->op);
    json_put_string(json, "op_name", c->op_name);
    put_index(json, "tensor", c->tensor);
    json_put_uint(json, "other_subgraph", c->other_subgraph);
    put_index(json, "other_op", c->other_op);
    json_put_string(json, "other_op_name", c->other_op_name);
    put_index(json, "other_tensor", c->other_tensor);
    put_index(json, "output", c->output);
    json_put_string(json, "type", tq_type_name(c->type));
    json_put_ints(json, "shape", c->shape, c->rank);
    json_put_uint(json, "samples", c->sets);
    json_put_uint(json, "elements", c->elements);
    json_put_uint(json, "differing", c->differing);
    json_put_uint(json, "broken", c->broken);
    json_put_bool(json, "exact", is_exact(c->snr_db));
    json_put_double(json, "snr_db", c->snr_db);
    json_put_double(json, "cosine", c->cosine);
    json_put_double(json, "mean_magnitude", c->mean_magnitude);
    json_put_double(json, "mean_difference", c->mean_difference);
    json_put_double(json, "mean_relative_difference", c->mean_relative_difference);
    json_put_double(json, "max_difference", c->max_difference);
    json_put_double(json, "local_snr_db", c->local_snr_db);
    json_put_bool(json, "local_exact", is_exact(c->local_snr_db));
    json_put_double(json, "output_snr_db", c->output_snr_db);
    json_put_bool(json, "output_exact", is_exact(c->output_snr_db));
    json_put_double(json, "low", c->low);
    json_put_double(json, "high", c->high);
    json_close(json, '}');
}

static void put_error(struct json_out *json, const tq_error *error) {
    json_key(json, "error");
    json_open(json, '{');
    json_put_string(json, "status", tq_status_name(error->status));
    json_put_int(json, "code", error->status);
    json_put_string(json, "message", error->message);
    json_close(json, '}');
}

/* The keys of an object that is open. */
static void put_verified(struct json_out *json, const struct verified *verified) {
    tq_verification_info info = {.struct_size = sizeof info};
    tq_comparison comparison = {.struct_size = sizeof comparison};
    const tq_verification *v = verified->verification;
    if (tq_get_verification_info(v, &info) != TQ_OK) {
        put_error(json, &verified->error);
        return;
    }
    json_put_bool(json, "below_min_snr", verified->below);
    json_put_uint(json, "samples", info.n_sets);
    put_index(json, "worst_output", info.worst_output);
    put_index(json, "entry_layer", info.entry_layer);
    json_put_uint(json, "compared_outputs", info.compared_outputs);
    json_put_uint(json, "compared_layers", info.compared_layers);
    json_put_uint(json, "unmatched", info.unmatched);
    json_put_uint(json, "other_unmatched", info.other_unmatched);
    json_put_uint(json, "skipped", info.skipped);
    json_put_uint(json, "other_skipped", info.other_skipped);
    json_put_string(json, "refusal", info.refusal);
    json_key(json, "outputs");
    json_open(json, '[');
    for (uint32_t i = 0; tq_get_output_comparison(v, i, &comparison) == TQ_OK; i++)
        put_comparison(json, i, &comparison);
    json_close(json, ']');
    json_key(json, "layers");
    json_open(json, '[');
    for (uint32_t i = 0; tq_get_layer_comparison(v, i, &comparison) == TQ_OK; i++)
        put_comparison(json, i, &comparison);
    json_close(json, ']');
}

static void put_paths(struct json_out *json, const char *key, const char *const *paths,
                      uint32_t count) {
    json_key(json, key);
    json_open(json, '[');
    for (uint32_t i = 0; i < count; i++)
        json_string(json, paths[i]);
    json_close(json, ']');
}

static void put_members(struct json_out *json, const struct verified_all *all) {
    json_key(json, "members");
    json_open(json, '[');
    for (uint32_t i = 0; i < all->count; i++) {
        json_open(json, '{');
        json_put_string(json, "path", all->list[i].path);
        put_verified(json, &all->list[i]);
        json_close(json, '}');
    }
    json_close(json, ']');
    put_paths(json, "missing", all->missing, all->n_missing);
    put_paths(json, "additional", all->additional, all->n_additional);
}

void verify_json(const struct cli_options *options, const struct verified_all *all, FILE *file) {
    struct json_out json;
    cli_json_begin(&json, options, file);
    json_put_string(&json, "reference", options->input);
    json_put_string(&json, "other", options->other);
    json_put_string(&json, "format", cli_format_name(all->format));
    json_put_double(&json, "min_snr_db",
                    options->min_snr_db != 0 ? options->min_snr_db : (double)NAN);
    if (all->format == TQ_FORMAT_TFLITE)
        put_verified(&json, &all->list[0]);
    else
        put_members(&json, all);
    cli_json_end(&json);
}
