/* SPDX-License-Identifier: Apache-2.0 */
#include "execute/share.h"

typedef struct share {
    tqi_rows_job *job;
    void *data;
    size_t rows, at_once;
} share;

static void run_piece(void *data, uint32_t index, uint32_t worker) {
    const share *s = data;
    size_t first = index * s->at_once, left = s->rows - first;
    s->job(s->data, first, left < s->at_once ? left : s->at_once, worker);
}

uint32_t tqi_workers(const tqi_call *call, uint64_t work) {
    static const uint64_t WORTH_WAKING = 1 << 21; /* multiply-adds: about 200 microseconds */
    return call->runner && work >= WORTH_WAKING ? call->runner->workers : 1;
}

void tqi_share_rows(const tqi_call *call, uint32_t workers, size_t rows, size_t at_once,
                    size_t step, tqi_rows_job *job, void *data) {
    enum { PIECES = 3 }; /* of each worker, as not all start at once */
    size_t fair = workers > 1 ? (rows / workers / PIECES / step + 1) * step : rows;
    share s = {job, data, rows, fair < at_once ? fair : at_once};
    if (rows == 0)
        return;
    size_t count = (rows + s.at_once - 1) / s.at_once;
    if (workers > 1 && count <= UINT32_MAX)
        call->runner->run(call->runner->opaque, run_piece, &s, (uint32_t)count);
    else
        for (size_t i = 0; i < count; i++)
            job(data, i * s.at_once, i + 1 < count ? s.at_once : rows - i * s.at_once, 0);
}
