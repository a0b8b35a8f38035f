/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite/sparsity.h"

#include "base/checked.h"

enum { MAX_LEVELS = 16, SPARSE_CSR = 1 };

/* A vector of int32, uint16 or uint8. */
typedef struct indices {
    const uint8_t *at;
    uint32_t count, width;
} indices;

typedef struct level {
    bool sparse;
    uint32_t size;   /* dense levels */
    uint64_t stride; /* elements of the dense tensor per step */
    indices segments, positions;
} level;

typedef struct walk {
    level levels[MAX_LEVELS];
    uint32_t depth;
    uint64_t elements, stored, found;
    uint64_t steps; /* that an honest description can take */
    uint64_t *place;
} walk;

static indices get_indices(const tqi_view *view, uint32_t dimension, uint32_t field) {
    static const uint32_t widths[] = {0, 4, 2, 1}; /* by union type */
    int8_t type = tqi_get_i8(view, dimension, field - 1, 0);
    uint32_t table = tqi_get_table(view, dimension, field);
    if (!table || type < 1 || type > 3)
        return (indices){0};
    tqi_vector values = tqi_get_vector(view, table, 0);
    return (indices){view->data + values.at, values.count, widths[type]};
}

static uint64_t get(const indices *list, uint64_t i) {
    const uint8_t *at = list->at + i * list->width;
    return list->width == 4 ? tqi_load_u32(at) : list->width == 2 ? tqi_load_u16(at) : *at;
}

uint64_t tqi_sparsity_bytes(const tqi_view *view, uint32_t sparsity) {
    tqi_vector dims = tqi_get_vector(view, sparsity, TQI_SPARSITY_DIM_METADATA);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < dims.count; i++) {
        uint32_t dimension = tqi_element(view, dims, i);
        indices segments = get_indices(view, dimension, TQI_DIMENSION_ARRAY_SEGMENTS);
        indices positions = get_indices(view, dimension, TQI_DIMENSION_ARRAY_INDICES);
        bytes +=
            (uint64_t)segments.count * segments.width + (uint64_t)positions.count * positions.width;
    }
    return bytes;
}

/* `at`: the place so far; `segment`: which entry of the level above this is. */
static bool descend(walk *w, uint32_t depth, uint64_t segment, uint64_t at) {
    if (w->steps-- == 0)
        return false;
    if (depth == w->depth) {
        if (w->found == w->stored || at >= w->elements)
            return false;
        w->place[w->found++] = at;
        return true;
    }
    const level *l = &w->levels[depth];
    if (!l->sparse) {
        for (uint32_t i = 0; i < l->size; i++)
            if (!descend(w, depth + 1, segment * l->size + i, at + i * l->stride))
                return false;
        return true;
    }
    if (segment + 1 >= l->segments.count)
        return false;
    uint64_t end = get(&l->segments, segment + 1);
    if (end > l->positions.count)
        return false;
    for (uint64_t i = get(&l->segments, segment); i < end; i++)
        if (!descend(w, depth + 1, i, at + get(&l->positions, i) * l->stride))
            return false;
    return true;
}

/* Strides of the traversal: dimension d of the tensor, or block k inside dimension
 * block_map[k], which then comes in steps of the block's size. */
static bool set_strides(walk *w, const tqi_view *view, const tqi_tensor *tensor) {
    tqi_vector order = tqi_get_vector(view, tensor->sparsity, TQI_SPARSITY_TRAVERSAL_ORDER);
    tqi_vector blocks = tqi_get_vector(view, tensor->sparsity, TQI_SPARSITY_BLOCK_MAP);
    uint32_t rank = tensor->rank;
    if (order.count != w->depth || w->depth != rank + blocks.count)
        return false;
    uint64_t stride[MAX_LEVELS];
    uint64_t size = 1;
    for (uint32_t i = rank; i-- > 0;) {
        stride[i] = size;
        size *= (uint64_t)tensor->shape[i];
    }
    bool seen[MAX_LEVELS] = {false};
    uint32_t level_of[MAX_LEVELS] = {0};
    for (uint32_t i = 0; i < w->depth; i++) {
        uint32_t d = tqi_load_u32(view->data + order.at + 4 * i);
        if (d >= w->depth || seen[d])
            return false;
        seen[d] = true;
        level_of[d] = i;
    }
    for (uint32_t d = 0; d < rank; d++)
        w->levels[level_of[d]].stride = stride[d];
    for (uint32_t k = 0; k < blocks.count; k++) {
        uint32_t d = tqi_load_u32(view->data + blocks.at + 4 * k);
        level *block = &w->levels[level_of[rank + k]];
        if (d >= rank || block->sparse)
            return false;
        block->stride = stride[d];
        w->levels[level_of[d]].stride = stride[d] * block->size;
    }
    return true;
}

bool tqi_sparsity_places(const tqi_view *view, const tqi_tensor *tensor, uint64_t stored,
                         uint64_t *place) {
    walk w = {.stored = stored, .place = place};
    tqi_vector dims = tqi_get_vector(view, tensor->sparsity, TQI_SPARSITY_DIM_METADATA);
    if (dims.count > MAX_LEVELS || tensor->rank > MAX_LEVELS ||
        !tqi_tensor_elements(tensor, &w.elements))
        return false;
    w.depth = dims.count;
    /* a level has no more nodes than the sparse ones and the values below it have entries */
    uint64_t entries = 1 + stored;
    for (uint32_t i = 0; i < dims.count; i++) {
        uint32_t dimension = tqi_element(view, dims, i);
        level *l = &w.levels[i];
        l->sparse = tqi_get_i8(view, dimension, TQI_DIMENSION_FORMAT, 0) == SPARSE_CSR;
        int32_t size = tqi_get_i32(view, dimension, TQI_DIMENSION_DENSE_SIZE, 0);
        if (!l->sparse && size <= 0)
            return false;
        l->size = (uint32_t)size;
        l->segments = get_indices(view, dimension, TQI_DIMENSION_ARRAY_SEGMENTS);
        l->positions = get_indices(view, dimension, TQI_DIMENSION_ARRAY_INDICES);
        entries += (uint64_t)l->segments.count + l->positions.count;
    }
    w.steps = 1 + (dims.count + 1) * entries;
    return set_strides(&w, view, tensor) && descend(&w, 0, 0, 0) && w.found == stored;
}
