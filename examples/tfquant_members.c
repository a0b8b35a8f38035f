/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

bool cli_member(tq_model *bundle, uint32_t index, struct cli_member *member) {
    *member = (struct cli_member){.bundle = bundle, .index = index};
    member->info.struct_size = sizeof member->info;
    if (tq_get_member_info(bundle, index, &member->info) != TQ_OK)
        return false;
    member->model = tq_member_model(bundle, index);
    return true;
}

static bool each_member(tq_model *bundle, unsigned depth, cli_member_visit visit, void *opaque) {
    struct cli_member member;
    for (uint32_t i = 0; cli_member(bundle, i, &member); i++) {
        member.depth = depth;
        if (visit(opaque, &member))
            return true;
        if (member.info.kind == TQ_MEMBER_BUNDLE && member.model != NULL &&
            each_member(member.model, depth + 1, visit, opaque))
            return true;
    }
    return false;
}

bool cli_each_member(tq_model *bundle, cli_member_visit visit, void *opaque) {
    return each_member(bundle, 0, visit, opaque);
}

static bool count_model(void *opaque, const struct cli_member *member) {
    struct cli_model_count *count = opaque;
    if (member->info.kind == TQ_MEMBER_MODEL && member->model != NULL) {
        count->models++;
        count->changed += cli_totals(member->model).changed != 0;
    }
    return false;
}

struct cli_model_count cli_count_models(tq_model *model) {
    struct cli_model_count count = {0, 0};
    if (cli_format(model) != TQ_FORMAT_TFLITE)
        cli_each_member(model, count_model, &count);
    else
        count = (struct cli_model_count){1, cli_totals(model).changed != 0};
    return count;
}

uint32_t cli_format(const tq_model *model) {
    tq_model_info info = {.struct_size = sizeof info};
    return tq_get_model_info(model, &info) == TQ_OK ? info.format : TQ_FORMAT_TFLITE;
}

const char *cli_format_name(uint32_t format) {
    switch (format) {
    case TQ_FORMAT_TFLITE:
        return "tflite";
    case TQ_FORMAT_ZIP:
        return "zip";
    case TQ_FORMAT_LITERTLM:
        return "litertlm";
    default:
        return "unknown";
    }
}

const char *cli_format_text(uint32_t format) {
    switch (format) {
    case TQ_FORMAT_TFLITE:
        return "TFLite model";
    case TQ_FORMAT_ZIP:
        return "ZIP archive";
    case TQ_FORMAT_LITERTLM:
        return "LiteRT-LM file";
    default:
        return "unknown";
    }
}

const char *cli_member_kind_name(uint32_t kind) {
    switch (kind) {
    case TQ_MEMBER_MODEL:
        return "model";
    case TQ_MEMBER_BUNDLE:
        return "bundle";
    case TQ_MEMBER_DIRECTORY:
        return "directory";
    default:
        return "other";
    }
}
