/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast kernels get through their source, as a multiple of memcpy of the same
 * bytes: both run alternately, five times, and the median counts. The source is
 * larger than the caches; results go round in a small buffer, as they do on their
 * way to a file, unless a size is given. Several threads share the source evenly,
 * on both sides. Usage:
 * bench_kernels [MiB of source [threads [part of a name [MiB of results]]]]
 */
#define _POSIX_C_SOURCE 200809L
#include "cpu/cpu.h"
#include "kernels/kernels.h"

#include <tfquant/tfquant.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROW = 4096, COLUMNS = 256, TURNS = 5, MAX_THREADS = 64 };

static _Thread_local uint32_t bound_bits[COLUMNS];
static _Thread_local float bounds[2 * COLUMNS], scales[COLUMNS];
static _Thread_local uint16_t block_scales[ROW / 32];
static _Thread_local volatile double unused; /* keeps results alive */

static float scale_of(uint32_t absmax) {
    float bound;
    memcpy(&bound, &absmax, sizeof(bound));
    return bound / 127;
}

/* What is done with a piece of the source: a row, or a matrix of 256 columns. */
typedef void work(const tqi_kernels *k, const void *x, void *y, size_t n);

static void absmax_f32(const tqi_kernels *k, const void *x, void *y, size_t n) {
    (void)y;
    unused = k->absmax_f32(x, n);
}

static void absmax_f16(const tqi_kernels *k, const void *x, void *y, size_t n) {
    (void)y;
    unused = k->absmax_f16(x, n);
}

static void minmax_f32(const tqi_kernels *k, const void *x, void *y, size_t n) {
    (void)y;
    k->minmax_f32(x, n, &bounds[0], &bounds[1]);
}

static void minmax_f16(const tqi_kernels *k, const void *x, void *y, size_t n) {
    (void)y;
    k->minmax_f16(x, n, &bounds[0], &bounds[1]);
}

static void absmax_columns_f32(const tqi_kernels *k, const void *x, void *y, size_t n) {
    (void)y;
    k->absmax_columns_f32(x, n / COLUMNS, COLUMNS, COLUMNS, bound_bits);
}

static void minmax_columns_f32(const tqi_kernels *k, const void *x, void *y, size_t n) {
    (void)y;
    k->minmax_columns_f32(x, n / COLUMNS, COLUMNS, COLUMNS, bounds, bounds + COLUMNS);
}

static _Thread_local tqi_sums sums;

static void f32_s8_again(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_f32_s8(x, y, n, 1.0f / 127, &sums);
}

static void f32_s8(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_f32_s8(x, y, n, scale_of(k->absmax_f32(x, n)), &sums);
}

static void f32_s8_no_sums(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_f32_s8(x, y, n, scale_of(k->absmax_f32(x, n)), NULL);
}

static void f16_s8(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_f16_s8(x, y, n, scale_of(k->absmax_f16(x, n)), &sums);
}

static void bf16_s8(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_bf16_s8(x, y, n, scale_of(k->absmax_bf16(x, n)), &sums);
}

static void f32_s4(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_f32_s4(x, y, n, 16 * scale_of(k->absmax_f32(x, n)), &sums);
}

static void f32_s2(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_f32_s2(x, y, n, 64 * scale_of(k->absmax_f32(x, n)), &sums);
}

static void f32_s4_blocks_32(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_blocks_f32_s4(x, y, n, 32, block_scales, &sums);
}

static void f32_s4_blocks_128(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_blocks_f32_s4(x, y, n, 128, block_scales, &sums);
}

static void f16_s4_blocks_32(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->quantize_blocks_f16_s4(x, y, n, 32, block_scales, &sums);
}

static void column_scales(void) {
    for (size_t c = 0; c < COLUMNS; c++) {
        scales[c] = scale_of(bound_bits[c]);
    }
}

static void f32_s8_columns(const tqi_kernels *k, const void *x, void *y, size_t n) {
    memset(bound_bits, 0, sizeof(bound_bits));
    k->absmax_columns_f32(x, n / COLUMNS, COLUMNS, COLUMNS, bound_bits);
    column_scales();
    k->quantize_columns_f32_s8(x, y, n / COLUMNS, COLUMNS, COLUMNS, scales, &sums);
}

static void f16_s8_columns(const tqi_kernels *k, const void *x, void *y, size_t n) {
    memset(bound_bits, 0, sizeof(bound_bits));
    k->absmax_columns_f16(x, n / COLUMNS, COLUMNS, COLUMNS, bound_bits);
    column_scales();
    k->quantize_columns_f16_s8(x, y, n / COLUMNS, COLUMNS, COLUMNS, scales, &sums);
}

static void f32_f16(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->f32_to_f16(x, y, n, &sums);
}

static void f32_bf16(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->f32_to_bf16(x, y, n);
}

static void f16_f32(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->f16_to_f32(x, y, n);
}

static void bf16_f32(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->bf16_to_f32(x, y, n);
}

static void s8_f32(const tqi_kernels *k, const void *x, void *y, size_t n) {
    k->dequantize_s8_f32(x, y, n, 0.5f);
}

static const struct {
    const char *name;
    work *run;
    size_t piece; /* elements */
    size_t from;  /* bytes an element */
    size_t to;    /* bytes an element of the result at most */
} families[] = {
    {"absmax f32", absmax_f32, ROW, 4, 0},
    {"absmax f16", absmax_f16, ROW, 2, 0},
    {"minmax f32", minmax_f32, ROW, 4, 0},
    {"minmax f16", minmax_f16, ROW, 2, 0},
    {"absmax columns f32, [4096][256]", absmax_columns_f32, 4096 * COLUMNS, 4, 0},
    {"minmax columns f32, [4096][256]", minmax_columns_f32, 4096 * COLUMNS, 4, 0},
    {"absmax + f32 -> s8", f32_s8, ROW, 4, 1},
    {"absmax + f32 -> s8, no sums", f32_s8_no_sums, ROW, 4, 1},
    {"f32 -> s8 alone", f32_s8_again, ROW, 4, 1},
    {"absmax + f16 -> s8", f16_s8, ROW, 2, 1},
    {"absmax + bf16 -> s8", bf16_s8, ROW, 2, 1},
    {"absmax + f32 -> s4", f32_s4, ROW, 4, 1},
    {"absmax + f32 -> s2", f32_s2, ROW, 4, 1},
    {"f32 -> s4, blocks of 32", f32_s4_blocks_32, ROW, 4, 1},
    {"f32 -> s4, blocks of 128", f32_s4_blocks_128, ROW, 4, 1},
    {"f16 -> s4, blocks of 32", f16_s4_blocks_32, ROW, 2, 1},
    {"columns, absmax + f32 -> s8, [9][256]", f32_s8_columns, 9 * COLUMNS, 4, 1},
    {"columns, absmax + f32 -> s8, [4096][256]", f32_s8_columns, 4096 * COLUMNS, 4, 1},
    {"columns, absmax + f16 -> s8, [4096][256]", f16_s8_columns, 4096 * COLUMNS, 2, 1},
    {"f32 -> f16", f32_f16, ROW, 4, 2},
    {"f32 -> bf16", f32_bf16, ROW, 4, 2},
    {"f16 -> f32", f16_f32, ROW, 2, 4},
    {"bf16 -> f32", bf16_f32, ROW, 2, 4},
    {"s8 -> f32", s8_f32, ROW, 1, 4},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *x, const void *y) {
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(double *values) {
    qsort(values, TURNS, sizeof(*values), ascending);
    return values[TURNS / 2];
}

static size_t size, room, threads = 1;
static unsigned char *source, *target;
static double speeds[TURNS]; /* of memcpy, the last ones */

/* What one thread does: its part of the source. */
typedef struct part {
    const tqi_kernels *k; /* NULL: memcpy */
    size_t family, from, size, to;
    pthread_t thread;
} part;

static void *run_part(void *opaque) {
    const part *p = opaque;
    if (!p->k) {
        memcpy(target + p->from, source + p->from, p->size);
        return NULL;
    }
    const size_t piece = families[p->family].piece;
    const size_t step = piece * families[p->family].from;
    const size_t result = piece * families[p->family].to;
    for (size_t done = 0, at = 0; p->size - done >= step; done += step, at += result) {
        at = room - at < result ? 0 : at;
        families[p->family].run(p->k, source + p->from + done, target + p->to + at, piece);
    }
    return NULL;
}

/* Returns bytes a second. */
static double speed(const tqi_kernels *k, size_t family) {
    const size_t step = families[family].piece * families[family].from;
    const size_t each = size / threads / step * step;
    part parts[MAX_THREADS];
    const double start = now();
    for (size_t i = 0; i < threads; i++) {
        parts[i] = (part){.k = k, .family = family, .from = i * each, .size = each, .to = i * room};
        if (i > 0 && pthread_create(&parts[i].thread, NULL, run_part, &parts[i])) {
            fprintf(stderr, "no more threads\n");
            exit(1);
        }
    }
    run_part(&parts[0]);
    for (size_t i = 1; i < threads; i++) {
        pthread_join(parts[i].thread, NULL);
    }
    return (double)(threads * each) / (now() - start);
}

static double ratio(const tqi_kernels *k, size_t family) {
    double ratios[TURNS];
    for (int turn = 0; turn < TURNS; turn++) {
        speeds[turn] = speed(NULL, family);
        ratios[turn] = speed(k, family) / speeds[turn];
    }
    return median(ratios);
}

/* Weights of the type that is asked for: |x| <= 1, none of them special. */
static void fill(size_t from) {
    uint32_t state = 1;
    for (size_t i = 0; i < size / from; i++) {
        state = state * 1664525 + 1013904223;
        const float x = (float)(int32_t)state * 0x1p-31f;
        const uint16_t half = (uint16_t)((state >> 16 & 0x83ff) | 0x3800); /* also a bfloat16 */
        memcpy(source + i * from, from == 4 ? (const void *)&x : (const void *)&half, from);
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        uint32_t flag;
    } levels[] = {
        {"scalar", 0}, {"avx2", TQ_CPU_AVX2}, {"avx512", TQ_CPU_AVX512}, {"neon", TQ_CPU_NEON}};
    enum { LEVELS = sizeof(levels) / sizeof(*levels) };
    const uint32_t flags = tqi_cpu_flags();
    const char *wanted = argc > 3 ? argv[3] : "";
    size = (size_t)(argc > 1 ? strtoul(argv[1], NULL, 10) : 256) << 20;
    threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    room = (size_t)(argc > 4 ? strtoul(argv[4], NULL, 10) : 1) << 20;
    if (threads == 0 || threads > MAX_THREADS) {
        fprintf(stderr, "from 1 to %d threads\n", MAX_THREADS);
        return 1;
    }
    source = aligned_alloc(4096, size);
    target = aligned_alloc(4096, size);
    if (room == 0 || room > size / threads || !source || !target) {
        fprintf(stderr, "need memory, and no more for results than for the source\n");
        return 1;
    }
    memset(target, 1, size);

    tqi_kernels tables[LEVELS];
    printf("%-42s", "bytes of source / memcpy");
    for (size_t l = 0; l < LEVELS; l++) {
        tqi_kernels_init(&tables[l], levels[l].flag & flags);
        if (l == 0 || tables[l].absmax_f32 != tables[0].absmax_f32) {
            printf("%8s", levels[l].name);
        }
    }
    printf("  memcpy GB/s\n");
    size_t filled = 0;
    for (size_t f = 0; f < sizeof(families) / sizeof(*families); f++) {
        if (!strstr(families[f].name, wanted)) {
            continue;
        }
        if (families[f].from != filled) {
            filled = families[f].from;
            fill(filled);
        }
        printf("%-42s", families[f].name);
        for (size_t l = 0; l < LEVELS; l++) {
            if (l == 0 || tables[l].absmax_f32 != tables[0].absmax_f32) {
                printf("%8.2f", ratio(&tables[l], f));
                fflush(stdout);
            }
        }
        printf("  %11.1f\n", median(speeds) * 1e-9);
    }
    return 0;
}
