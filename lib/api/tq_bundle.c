/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/model.h"
#include "base/checked.h"

bool tqi_model_changed(const tq_model *model) {
    if (!tqi_is_bundle(model))
        return model->input->is_rewritten || (model->quantized && model->result.changed);
    for (uint32_t i = 0; i < model->input->container.n_members; i++)
        if (model->members[i] && tqi_model_changed(model->members[i]))
            return true;
    return false;
}

uint64_t tqi_size_within(const tq_model *model) {
    return tqi_model_changed(model) ? model->file_size : model->input->source.size;
}

tq_status tqi_blame_member(const tq_model *bundle, uint32_t index, tq_status status,
                           tq_error *error) {
    const tqi_member *member = &bundle->input->container.members[index];
    tq_error inner = *error;
    if (inner.offset != TQ_NO_OFFSET && !member->is_deflated)
        inner.offset += member->offset;
    tqi_fail(error, status, "member '%s': %s", member->name, inner.message);
    memcpy(inner.message, error->message, sizeof inner.message);
    *error = inner;
    return status;
}

/* ---- layout ---- */

static uint32_t alignment_of(uint64_t offset) {
    enum { USUAL = 16 };
    uint32_t alignment = USUAL;
    while (offset % alignment != 0)
        alignment /= 2;
    return alignment;
}

bool tqi_member_deflates(const tq_model *bundle, uint32_t index) {
    return (bundle->flags & TQ_QUANTIZE_KEEP_STORAGE) &&
           bundle->input->container.members[index].is_deflated;
}

tq_status tqi_bundle_lay_out(const tq_model *bundle, tqi_container_layout *layout, tqi_arena *arena,
                             tq_error *error) {
    const tqi_container *container = &bundle->input->container;
    tqi_member_change *changes = NULL;
    TQI_NEW(arena, &changes, container->n_members, error);
    for (uint32_t i = 0; i < container->n_members; i++) {
        const tq_model *member = bundle->members[i];
        if (!member || !tqi_model_changed(member))
            continue;
        bool keep = bundle->flags & TQ_QUANTIZE_KEEP_STORAGE;
        changes[i] = (tqi_member_change){
            .replaced = true,
            .deflated = tqi_member_deflates(bundle, i),
            .size = member->file_size,
            .packed_size = member->is_packed ? member->packed_size : member->file_size,
            .alignment = alignment_of(keep ? container->members[i].offset : 0)};
    }
    return tqi_container_layout_make(layout, container, changes, arena, error);
}

tq_status tqi_bundle_measure(tq_model *bundle, tq_error *error) {
    tqi_arena arena;
    tqi_container_layout layout;
    tqi_arena_init(&arena, bundle->input->heap);
    tq_status status = tqi_bundle_lay_out(bundle, &layout, &arena, error);
    if (status == TQ_OK)
        bundle->file_size = layout.size;
    tqi_arena_free(&arena);
    return status;
}

/* ---- members, for callers ---- */

static bool has_member(const tq_model *bundle, uint32_t index) {
    return bundle && index < bundle->input->container.n_members;
}

tq_status tq_get_member_info(const tq_model *bundle, uint32_t index, tq_member_info *info) {
    if (!has_member(bundle, index))
        return TQ_ERR_INVALID_ARGUMENT;
    const tqi_member *member = &bundle->input->container.members[index];
    const tq_model *model = bundle->members[index];
    tq_member_info result = {.kind = TQ_MEMBER_OTHER,
                             .is_deflated = member->is_deflated,
                             .size = model ? tqi_size_within(model) : member->size,
                             .stored_size = member->stored_size,
                             .name = member->name,
                             .path = bundle->input->paths[index]};
    if (model)
        result.kind = tqi_is_bundle(model) ? TQ_MEMBER_BUNDLE : TQ_MEMBER_MODEL;
    else if (member->is_directory)
        result.kind = TQ_MEMBER_DIRECTORY;
    return tqi_fill_struct(info, &result, sizeof result);
}

tq_model *tq_member_model(tq_model *bundle, uint32_t index) {
    return has_member(bundle, index) ? bundle->members[index] : NULL;
}

static tq_status pass_on(void *opaque, const uint8_t *bytes, size_t size, tq_error *error) {
    tqi_callback_sink *sink = opaque;
    return sink->base.write(&sink->base, 0, bytes, size, error);
}

static tq_status extract(const tq_model *bundle, uint32_t index, const tq_sink *given,
                         tq_error *error) {
    tq_sink user = {sizeof user, 0, NULL, NULL};
    TQI_TRY(tqi_read_options(&user, sizeof user, given, "tq_sink", error));
    if (!has_member(bundle, index) || !user.write)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                        "tq_extract_member() needs a bundle, a member of it, and a sink that "
                        "writes");
    tqi_callback_sink sink;
    tqi_sink_callback(&sink, &user);
    return tqi_container_read(&bundle->input->container, index, bundle->input->heap, pass_on, &sink,
                              error);
}

tq_status tq_extract_member(const tq_model *bundle, uint32_t index, const tq_sink *sink,
                            tq_error *error) {
    tq_error local = TQ_ERROR_INIT;
    return tqi_give_error(error, &local, extract(bundle, index, sink, &local));
}
