/* SPDX-License-Identifier: Apache-2.0 */
/* A vector level against the scalar code, bit by bit, between guard pages. */
#define _DEFAULT_SOURCE
#include "kernel_checks.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* -------------------------------------------------------------- memory -- */

/* `size` bytes that end, or start, where memory ends. */
typedef struct guarded {
    unsigned char *pages;
    size_t room; /* between the two guard pages */
} guarded;

enum { MOST = 1 << 17 }; /* bytes an array may take here */

static guarded get_guarded(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded g = {NULL, (MOST + page - 1) / page * page};
    unsigned char *p = mmap(NULL, g.room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + page, g.room, PROT_READ | PROT_WRITE)) {
        printf("Bail out! no guard pages\n");
        exit(1);
    }
    g.pages = p + page;
    return g;
}

/* Place 0 ends at the end, place p > 0 starts p - 1 bytes from the start. */
static void *at_edge(guarded g, size_t size, unsigned place) {
    return place ? g.pages + (place - 1) : g.pages + g.room - size;
}

static guarded source, target, more, truth_target, truth_more;

void prepare_level_checks(void) {
    if (!source.pages) {
        source = get_guarded();
        target = get_guarded();
        more = get_guarded();
        truth_target = get_guarded();
        truth_more = get_guarded();
    }
}

/* All of it, so that bytes written beside the result count. */
static int same_memory(guarded x, guarded y) {
    return memcmp(x.pages, y.pages, x.room) == 0;
}

/* -------------------------------------------------------------- values -- */

typedef enum type { F32, F16, BF16 } type;

/* Ways to fill a source. */
enum {
    NORMAL,
    ANY_BITS,
    ZEROS,
    DENORMAL,
    TIES,
    NEAR_TIES,
    FEW_NAN,
    FEW_INFINITE,
    CLIPPED,
    HUGE_VALUES,
    KINDS
};

static uint16_t narrow(const tqi_kernels *truth, float x, type t) {
    uint16_t half;
    if (t == F16) {
        truth->f32_to_f16(&x, &half, 1, NULL);
    } else {
        truth->f32_to_bf16(&x, &half, 1);
    }
    return half;
}

static float random_value(unsigned kind, float scale) {
    const uint64_t r = random_u64();
    const float uniform = (float)(int32_t)(r >> 32) * 0x1p-31f;
    const float tie = ((float)(r >> 40 & 0xff) - 127.5f) * scale;
    const uint32_t sign = (uint32_t)r << 31;
    switch (kind) {
    case ANY_BITS:
        return float_of((uint32_t)(r >> 32));
    case ZEROS:
        return float_of(sign);
    case DENORMAL:
        return float_of(sign | (uint32_t)(r >> 41));
    case TIES:
        return tie;
    case NEAR_TIES:
        return float_of(bits_of(tie) + (uint32_t)(r % 9) - 4);
    case FEW_NAN:
        return r % 40 ? uniform : float_of(sign | 0x7fc00000 | (uint32_t)(r >> 44));
    case FEW_INFINITE:
        return r % 40 ? uniform : float_of(sign | 0x7f800000);
    case CLIPPED:
        return uniform * 300.0f * scale;
    case HUGE_VALUES:
        return uniform * 3e38f;
    default:
        return uniform * 127.0f * scale;
    }
}

static void fill(const tqi_kernels *truth, unsigned char *x, size_t n, type t, unsigned kind,
                 float scale) {
    for (size_t i = 0; i < n; i++) {
        const float value = random_value(kind, scale);
        if (t == F32) {
            memcpy(x + 4 * i, &value, 4);
        } else {
            const uint16_t half =
                kind == ANY_BITS ? (uint16_t)random_u64() : narrow(truth, value, t);
            memcpy(x + 2 * i, &half, 2);
        }
    }
}

static float random_scale(void) {
    const uint64_t r = random_u64();
    return ldexpf(1.0f + (float)(r >> 41) * 0x1p-23f * (r & 1 ? 1.0f : 0.0f), (int)(r % 9) - 9);
}

static const float odd_scales[] = {0,         -0.0f,     -1,        NAN,      INFINITY, -INFINITY,
                                   0x1p-149f, 0x1p-126f, 0x1p-125f, 0x1p125f, 0x1p126f, 3e38f};

#define ODD_SCALES (sizeof(odd_scales) / sizeof(*odd_scales))

static const size_t lengths_beyond[] = {511,  1000, 4032, 4033, 4095, 4096,
                                        4097, 4160, 8191, 8192, 8193, 12321};

static size_t length_of(size_t i) {
    return i <= 257 ? i : lengths_beyond[i - 258];
}

#define LENGTHS (258 + sizeof(lengths_beyond) / sizeof(*lengths_beyond))

static const char *const type_names[] = {"f32", "f16", "bf16"};

static size_t size_of(type t) {
    return t == F32 ? 4 : 2;
}

/* Runs `body` for all lengths, kinds of values and places, with n, kind, place and
 * a filled source x. */
#define FOR_EACH_SOURCE(t)                                                                         \
    for (size_t index = 0; index < LENGTHS; index++)                                               \
        for (unsigned kind = 0; kind < KINDS; kind++)                                              \
            for (unsigned place = 0; place < 3; place++)                                           \
                if (n = length_of(index), scale = random_scale(),                                  \
                    x = at_edge(source, n * size_of(t), place), fill(truth, x, n, t, kind, scale), \
                    1)

#define WHERE "%s, n %zu, kind %u, place %u"
#define WHERE_IS type_names[t], n, kind, place

/* -------------------------------------------------------------- ranges -- */

static uint32_t absmax(const tqi_kernels *k, const void *x, size_t n, type t) {
    return t == F32 ? k->absmax_f32(x, n) : t == F16 ? k->absmax_f16(x, n) : k->absmax_bf16(x, n);
}

static int check_absmax(const tqi_kernels *truth, const tqi_kernels *level) {
    size_t n;
    float scale;
    void *x;
    for (type t = F32; t <= BF16; t++) {
        FOR_EACH_SOURCE(t) {
            EXPECT(absmax(level, x, n, t) == absmax(truth, x, n, t), WHERE, WHERE_IS);
        }
    }
    return 0;
}

static int check_minmax(const tqi_kernels *truth, const tqi_kernels *level) {
    size_t n;
    float scale;
    void *x;
    for (type t = F32; t <= F16; t++) {
        FOR_EACH_SOURCE(t) {
            float a[2], b[2];
            (t == F32 ? truth->minmax_f32 : truth->minmax_f16)(x, n, &a[0], &a[1]);
            (t == F32 ? level->minmax_f32 : level->minmax_f16)(x, n, &b[0], &b[1]);
            EXPECT(memcmp(a, b, sizeof(a)) == 0, WHERE, WHERE_IS);
        }
    }
    return 0;
}

/* A matrix whose last row ends with its last column, not with the stride. */
typedef struct shape {
    size_t rows, columns, stride;
} shape;

static shape shape_of(unsigned i) {
    static const shape some[] = {{0, 5, 5},       {9, 256, 256},  {33, 257, 260}, {3, 511, 600},
                                 {17, 16, 16},    {40, 300, 300}, {16, 512, 512}, {5, 1100, 1101},
                                 {100, 100, 100}, {257, 1, 3}};
    if (i < sizeof(some) / sizeof(*some)) {
        return some[i];
    }
    const size_t columns = 1 + random_u64() % 80;
    return (shape){1 + random_u64() % 40, columns, columns + random_u64() % 3 * 7};
}

static size_t extent(shape s) {
    return s.rows ? (s.rows - 1) * s.stride + s.columns : 0;
}

#define SHAPE_WHERE                                                                                \
    "%s, %zu x %zu, stride %zu, kind %u", type_names[t], s.rows, s.columns, s.stride, kind

static int check_range_columns(const tqi_kernels *truth, const tqi_kernels *level) {
    for (unsigned i = 0; i < 200; i++) {
        for (type t = F32; t <= F16; t++) {
            for (unsigned kind = 0; kind < KINDS; kind++) {
                const shape s = shape_of(i);
                const unsigned place = kind % 3;
                void *x = at_edge(source, extent(s) * size_of(t), place);
                fill(truth, x, extent(s), t, kind, random_scale());
                const size_t bytes = s.columns * 4;
                uint32_t *a = at_edge(truth_target, bytes, place ? 1 : 0);
                uint32_t *b = at_edge(target, bytes, place ? 1 : 0);
                float *c = at_edge(truth_more, bytes, place ? 1 : 0);
                float *d = at_edge(more, bytes, place ? 1 : 0);
                memset(truth_target.pages, 0, target.room);
                memset(target.pages, 0, target.room);
                (t == F32 ? truth->absmax_columns_f32
                          : truth->absmax_columns_f16)(x, s.rows, s.columns, s.stride, a);
                (t == F32 ? level->absmax_columns_f32
                          : level->absmax_columns_f16)(x, s.rows, s.columns, s.stride, b);
                EXPECT(same_memory(target, truth_target), SHAPE_WHERE);

                memset(truth_more.pages, 0, more.room);
                memset(more.pages, 0, more.room);
                float *lows[2] = {(float *)(void *)a, (float *)(void *)b};
                float *highs[2] = {c, d};
                for (size_t m = 0; m < s.columns; m++) {
                    const float start = m % 5 ? INFINITY : random_value(kind, 1.0f);
                    lows[0][m] = lows[1][m] = start;
                    highs[0][m] = highs[1][m] = -start;
                }
                (t == F32 ? truth->minmax_columns_f32 : truth->minmax_columns_f16)(
                    x, s.rows, s.columns, s.stride, lows[0], highs[0]);
                (t == F32 ? level->minmax_columns_f32 : level->minmax_columns_f16)(
                    x, s.rows, s.columns, s.stride, lows[1], highs[1]);
                EXPECT(same_memory(target, truth_target) && same_memory(more, truth_more),
                       SHAPE_WHERE);
            }
        }
    }
    return 0;
}

/* ---------------------------------------------------------- quantizing -- */

static void quantize(const tqi_kernels *k, const void *x, void *q, size_t n, float scale,
                     tqi_sums *sums, type t, unsigned bits) {
    if (bits == 8) {
        (t == F32   ? k->quantize_f32_s8
         : t == F16 ? k->quantize_f16_s8
                    : k->quantize_bf16_s8)(x, q, n, scale, sums);
    } else if (bits == 4) {
        (t == F32 ? k->quantize_f32_s4 : k->quantize_f16_s4)(x, q, n, scale, sums);
    } else {
        (t == F32 ? k->quantize_f32_s2 : k->quantize_f16_s2)(x, q, n, scale, sums);
    }
}

static int compare_quantize(const tqi_kernels *truth, const tqi_kernels *level, const void *x,
                            size_t n, float scale, type t, unsigned bits, unsigned place) {
    const size_t bytes = (n * bits + 7) / 8;
    memset(truth_target.pages, 0xa5, target.room);
    memset(target.pages, 0xa5, target.room);
    tqi_sums a = {1, 2}, b = a;
    quantize(truth, x, at_edge(truth_target, bytes, place), n, scale, &a, t, bits);
    quantize(level, x, at_edge(target, bytes, place), n, scale, &b, t, bits);
    if (!same_memory(target, truth_target) || !same_sums(a, b)) {
        return 0;
    }
    quantize(level, x, at_edge(target, bytes, place), n, scale, NULL, t, bits);
    return same_memory(target, truth_target);
}

static int check_quantize(const tqi_kernels *truth, const tqi_kernels *level) {
    size_t n;
    float scale;
    void *x;
    for (type t = F32; t <= BF16; t++) {
        for (unsigned bits = t == BF16 ? 8 : 2; bits <= 8; bits *= 2) {
            FOR_EACH_SOURCE(t) {
                const int same = compare_quantize(truth, level, x, n, scale, t, bits, place);
                EXPECT(same, "s%u, " WHERE, bits, WHERE_IS);
            }
        }
    }
    return 0;
}

/* All ties and their neighbours, for scales as they come from weights. */
static int check_ties(const tqi_kernels *truth, const tqi_kernels *level) {
    enum { ULPS = 4, N = 257 * (2 * ULPS + 1) };
    float *x = at_edge(source, N * sizeof(float), 0);
    for (int turn = 0; turn < 400; turn++) {
        const float bound = random_value(NORMAL, 1.0f);
        const float scale = turn % 3 ? fabsf(bound) / 127 : random_scale();
        size_t n = 0;
        for (int k = -128; k <= 128; k++) {
            const float tie = ((float)k + 0.5f) * scale;
            for (int ulps = -ULPS; ulps <= ULPS; ulps++) {
                x[n++] = float_of(bits_of(tie) + (uint32_t)ulps);
            }
        }
        for (unsigned bits = 2; bits <= 8; bits *= 2) {
            EXPECT(compare_quantize(truth, level, x, n, scale, F32, bits, 0), "scale %a", scale);
        }
    }
    return 0;
}

static int check_odd_scales(const tqi_kernels *truth, const tqi_kernels *level) {
    for (size_t i = 0; i < ODD_SCALES; i++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            const size_t n = 1 + random_u64() % 200;
            const float near = odd_scales[i] > 0 && odd_scales[i] < 1e38f ? odd_scales[i] : 1.0f;
            float *x = at_edge(source, n * 4, 0);
            fill(truth, (unsigned char *)x, n, F32, kind, near);
            EXPECT(compare_quantize(truth, level, x, n, odd_scales[i], F32, 8, 0),
                   "scale %a, kind %u", odd_scales[i], kind);
        }
    }
    return 0;
}

static int check_quantize_columns(const tqi_kernels *truth, const tqi_kernels *level) {
    for (unsigned i = 0; i < 200; i++) {
        for (type t = F32; t <= F16; t++) {
            for (unsigned kind = 0; kind < KINDS; kind++) {
                const shape s = shape_of(i);
                const unsigned place = kind % 3;
                const float near = random_scale();
                void *x = at_edge(source, extent(s) * size_of(t), place);
                float *scale = at_edge(more, s.columns * 4, 0);
                fill(truth, x, extent(s), t, kind, near);
                for (size_t c = 0; c < s.columns; c++) {
                    scale[c] = c % 3 ? near : random_scale();
                }
                if (i % 4 == 1) {
                    scale[random_u64() % s.columns] = odd_scales[random_u64() % ODD_SCALES];
                }
                tqi_sums a = {1, 2}, b = a;
                memset(truth_target.pages, 0xa5, target.room);
                memset(target.pages, 0xa5, target.room);
                (t == F32 ? truth->quantize_columns_f32_s8 : truth->quantize_columns_f16_s8)(
                    x, at_edge(truth_target, extent(s), place), s.rows, s.columns, s.stride, scale,
                    &a);
                (t == F32 ? level->quantize_columns_f32_s8 : level->quantize_columns_f16_s8)(
                    x, at_edge(target, extent(s), place), s.rows, s.columns, s.stride, scale, &b);
                EXPECT(same_memory(target, truth_target) && same_sums(a, b), SHAPE_WHERE);
            }
        }
    }
    return 0;
}

static int check_blocks(const tqi_kernels *truth, const tqi_kernels *level) {
    size_t n;
    float scale;
    void *x;
    for (type t = F32; t <= F16; t++) {
        for (size_t block = 32; block <= 4096; block *= block < 256 ? 2 : 16) {
            FOR_EACH_SOURCE(t) {
                const size_t blocks = (n + block - 1) / block;
                tqi_sums a = {1, 2}, b = a;
                memset(truth_target.pages, 0xa5, target.room);
                memset(target.pages, 0xa5, target.room);
                memset(truth_more.pages, 0xa5, more.room);
                memset(more.pages, 0xa5, more.room);
                (t == F32 ? truth->quantize_blocks_f32_s4 : truth->quantize_blocks_f16_s4)(
                    x, at_edge(truth_target, (n + 1) / 2, place), n, block,
                    at_edge(truth_more, 2 * blocks, 0), &a);
                (t == F32 ? level->quantize_blocks_f32_s4 : level->quantize_blocks_f16_s4)(
                    x, at_edge(target, (n + 1) / 2, place), n, block, at_edge(more, 2 * blocks, 0),
                    &b);
                EXPECT(same_memory(target, truth_target) && same_memory(more, truth_more) &&
                           same_sums(a, b),
                       "block %zu, " WHERE, block, WHERE_IS);
            }
        }
    }
    return 0;
}

/* --------------------------------------------------------- conversions -- */

static int check_to_halves(const tqi_kernels *truth, const tqi_kernels *level) {
    const type t = F32;
    size_t n;
    float scale;
    void *x;
    FOR_EACH_SOURCE(t) {
        tqi_sums a = {1, 2}, b = a;
        memset(truth_target.pages, 0xa5, target.room);
        memset(target.pages, 0xa5, target.room);
        truth->f32_to_f16(x, at_edge(truth_target, 2 * n, place ? 1 : 0), n, &a);
        level->f32_to_f16(x, at_edge(target, 2 * n, place ? 1 : 0), n, &b);
        EXPECT(same_memory(target, truth_target) && same_sums(a, b), WHERE, WHERE_IS);
        truth->f32_to_bf16(x, at_edge(truth_target, 2 * n, place ? 1 : 0), n);
        level->f32_to_bf16(x, at_edge(target, 2 * n, place ? 1 : 0), n);
        EXPECT(same_memory(target, truth_target), WHERE, WHERE_IS);
    }
    return 0;
}

/* Every 16-bit pattern, from every way to widen them. */
static int check_widening(const tqi_kernels *truth, const tqi_kernels *level) {
    static uint16_t all[0x10000];
    static float a[0x10000], b[0x10000];
    for (size_t i = 0; i < 0x10000; i++) {
        all[i] = (uint16_t)i;
    }
    truth->f16_to_f32(all, a, 0x10000);
    level->f16_to_f32(all, b, 0x10000);
    EXPECT(memcmp(a, b, sizeof(a)) == 0, "f16_to_f32");
    truth->bf16_to_f32(all, a, 0x10000);
    level->bf16_to_f32(all, b, 0x10000);
    EXPECT(memcmp(a, b, sizeof(a)) == 0, "bf16_to_f32");

    for (size_t n = 0; n < 300; n++) {
        for (unsigned place = 0; place < 3; place++) {
            for (unsigned what = 0; what < 4; what++) {
                const size_t bytes = what < 2 ? 2 * n : what == 2 ? n : (n + 1) / 2;
                unsigned char *x = at_edge(source, bytes, place);
                float *c = at_edge(truth_target, 4 * n, place ? 1 : 0);
                float *d = at_edge(target, 4 * n, place ? 1 : 0);
                for (size_t i = 0; i < bytes; i++) {
                    x[i] = (unsigned char)random_u64();
                }
                memset(truth_target.pages, 0xa5, target.room);
                memset(target.pages, 0xa5, target.room);
                for (int turn = 0; turn < 2; turn++) {
                    const tqi_kernels *k = turn ? level : truth;
                    float *y = turn ? d : c;
                    if (what < 2) {
                        (what ? k->bf16_to_f32 : k->f16_to_f32)(x, y, n);
                    } else {
                        (what == 2 ? k->dequantize_s8_f32 : k->dequantize_s4_f32)(x, y, n, 0.3f);
                    }
                }
                EXPECT(same_memory(target, truth_target), "what %u, n %zu, place %u", what, n,
                       place);
            }
        }
    }
    return 0;
}

const check level_checks[] = {
    {"absmax", check_absmax},
    {"minmax", check_minmax},
    {"ranges of columns", check_range_columns},
    {"quantize", check_quantize},
    {"ties", check_ties},
    {"odd scales", check_odd_scales},
    {"quantize columns", check_quantize_columns},
    {"quantize blocks", check_blocks},
    {"to float16 and bfloat16", check_to_halves},
    {"to float32", check_widening},
    {NULL, NULL},
};
