/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels whose weights are far larger or smaller than those of the middle channel. With one scale
 * for all the small ones become zeros; with one each, the small ones' biases take the whole of
 * int32.
 *
 * Seen in: LiteRT#7603 (what one scale for a tensor costs); detectors with folded batch
 * normalization. Since: always. Until: not fixed; equalizing the channels of neighbours helps.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "check/rules.h"
#include "check/weights.h"

enum { FEWEST = 4, FAR = 128 }; /* an int8 has as many steps on a side */

static int by_size(const void *a, const void *b) {
    float x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Of those that are not zero; 0: there are too few. */
static tq_status middle(tqi_check *check, const tqi_weight *w, float *size, tq_error *error) {
    float *sorted = NULL;
    uint32_t n = 0;
    TQI_NEW(check->arena, &sorted, w->channels, error);
    for (uint32_t c = 0; c < w->channels; c++)
        if (w->largest[c] > 0.0f)
            sorted[n++] = w->largest[c];
    qsort(sorted, n, sizeof *sorted, by_size);
    *size = n >= FEWEST ? sorted[n / 2] : 0.0f;
    return TQ_OK;
}

static tq_status look(tqi_check *check, const tqi_weight *w, tq_error *error) {
    float size = 0.0f;
    uint32_t far = 0, farthest = 0;
    double most = 1.0;
    TQI_TRY(middle(check, w, &size, error));
    for (uint32_t c = 0; c < w->channels && size > 0.0f; c++) {
        if (!(w->largest[c] > 0.0f))
            continue;
        double ratio = (double)w->largest[c] / (double)size;
        ratio = ratio < 1.0 ? 1.0 / ratio : ratio;
        far += ratio > FAR;
        if (ratio > most) {
            most = ratio;
            farthest = c;
        }
    }
    if (far == 0)
        return TQ_OK;
    return tqi_find(check, &tqi_rule_channel_spread, TQ_SEVERITY_NOTE, tqi_weight_place(check, w),
                    "", error,
                    "%" PRIu32 " of its %" PRIu32 " channels are more than %d times as large or "
                    "small as the middle one; channel %" PRIu32 " reaches to %.3g, the middle "
                    "one to %.3g.",
                    far, w->channels, FAR, farthest, (double)w->largest[farthest], (double)size);
}

static tq_status run(tqi_check *check, tq_error *error) {
    const tqi_weights *weights;
    TQI_TRY(tqi_find_weights(check, &weights, error));
    for (uint32_t i = 0; i < weights->count; i++)
        TQI_TRY(look(check, &weights->list[i], error));
    return TQ_OK;
}

const tqi_check_rule tqi_rule_channel_spread = {"channel-spread",
                                                "channels far larger or smaller than the others",
                                                TQI_FOR_INT8 | TQI_FOR_MICRO, run, true};
