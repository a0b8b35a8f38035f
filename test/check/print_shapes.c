/* SPDX-License-Identifier: Apache-2.0 */
/* print_shapes MODEL: the shapes that the check infers for the first subgraph, a line a tensor:
 * "3 1 224 224 3", or "4 ?" where it is not known. */
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "check/shapes.h"

static tq_status run(const char *path, tqi_source *source, tqi_arena *arena, tq_error *error) {
    tqi_graph graph;
    tqi_shapes *shapes = NULL;
    bool *is_called = NULL;
    TQI_TRY(tqi_source_open(source, path, error));
    TQI_TRY(tqi_graph_load(&graph, source, arena, error));
    TQI_NEW(arena, &shapes, graph.n_subgraphs, error);
    TQI_NEW(arena, &is_called, graph.n_subgraphs, error);
    for (uint32_t s = 1; s < graph.n_subgraphs; s++)
        is_called[s] = true;
    TQI_TRY(tqi_infer_shapes(&graph, is_called, arena, shapes, error));
    for (uint32_t t = 0; graph.n_subgraphs > 0 && t < graph.subgraphs[0].n_tensors; t++) {
        const tqi_shape *shape = &shapes[0].list[t];
        printf("%" PRIu32, t);
        for (uint32_t d = 0; shape->known && d < shape->rank; d++)
            printf(" %" PRId32, shape->dims[d]);
        puts(shape->known ? "" : " ?");
    }
    return TQ_OK;
}

int main(int argc, char **argv) {
    tq_error error = TQ_ERROR_INIT;
    tqi_heap heap;
    tqi_arena arena;
    tqi_source source = {.fd = -1};
    tqi_heap_init(&heap, NULL, 0);
    tqi_arena_init(&arena, &heap);
    if (argc != 2)
        return 2;
    tq_status status = run(argv[1], &source, &arena, &error);
    if (status != TQ_OK)
        fprintf(stderr, "%s\n", error.message);
    tqi_arena_free(&arena);
    tqi_source_close(&source);
    return status != TQ_OK;
}
