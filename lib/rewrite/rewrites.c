/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite/rewrites.h"

#include <string.h>

/* In the order in which they run: what finds out shapes first, what cleans up last. */
static const tqi_rewrite rewrites[] = {
    {"fold-shapes", "computes shapes and indices that are known beforehand", tqi_fold_shapes, true},
    {"cancel-quantize", "drops QUANTIZE that gives back what DEQUANTIZE was given",
     tqi_cancel_quantize, true},
    {"drop-identity", "drops operators that give their input as it is", tqi_drop_identity, true},
    {"broadcast-layout", "brings inputs of BROADCAST_TO to the layout of its target",
     tqi_broadcast_layout, true},
    {"broadcast-to-drop", "drops BROADCAST_TO where its readers broadcast by themselves",
     tqi_broadcast_to_drop, true},
    {"broadcast-to-fold", "makes BROADCAST_TO of a small constant a constant",
     tqi_broadcast_to_fold, true},
    {"broadcast-to-tile", "replaces BROADCAST_TO by TILE", tqi_broadcast_to_tile, true},
    {"broadcast-to-mul", "replaces BROADCAST_TO by MUL, where the target has no TILE",
     tqi_broadcast_to_mul, true},
    {"fold-densify", "unpacks sparse constants behind DENSIFY; the file grows", tqi_fold_densify,
     false},
    {"fold-float16", "unpacks float16 constants behind DEQUANTIZE; the file grows",
     tqi_fold_float16, false},
    {"share-constants", "stores equal constants once", tqi_share_constants, true},
    {"drop-dead", "drops operators and tensors that nothing needs", tqi_drop_dead, true},
};

const tqi_rewrite *tqi_rewrite_at(uint32_t index) {
    return index < sizeof rewrites / sizeof *rewrites ? &rewrites[index] : NULL;
}

const tqi_rewrite *tqi_rewrite_find(const char *name, uint32_t *index) {
    for (uint32_t i = 0; i < sizeof rewrites / sizeof *rewrites; i++) {
        if (strcmp(rewrites[i].name, name) != 0)
            continue;
        if (index)
            *index = i;
        return &rewrites[i];
    }
    return NULL;
}
