/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libtfquant: a .tflite goes in, a smaller valid one comes out.
 *
 *     tq_load_file()  ->  tq_quantize()  ->  tq_save_file()
 *
 * Rules that hold for every function here:
 *
 * - Calls that can fail return a tq_status, and fill the caller's tq_error
 *   (which may be NULL). On failure no output argument is changed, and no file
 *   is created or altered.
 * - Structs start with `struct_size`; fill it by the matching TQ_..._INIT. A
 *   program built with an older header (smaller structs) gets defaults for
 *   what it does not know; a newer one is accepted while what this library
 *   does not know is zero.
 * - Strings and arrays inside result structs are borrowed: they live as long as
 *   the object that they came from. Names are UTF-8 as the model has them, never
 *   NULL ("" where a tensor has no name), always NUL-terminated.
 * - Nothing is global. Different objects may be used from different threads at
 *   once. One object may be read by several threads; tq_save_*() counts as
 *   writing to its model (it completes the report).
 * - The library prints nothing, never aborts and starts no threads.
 */
#ifndef TFQUANT_TFQUANT_H
#define TFQUANT_TFQUANT_H

#include <stddef.h>
#include <stdint.h>

#if defined(TFQUANT_BUILD) && (defined(__GNUC__) || defined(__clang__))
#define TQ_API __attribute__((visibility("default")))
#else
#define TQ_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------- version -- */

#define TQ_VERSION_MAJOR 0
#define TQ_VERSION_MINOR 1
#define TQ_VERSION_PATCH 0

/* Raised only when a program built with an older header would no longer run. */
#define TQ_ABI_VERSION 1

/* major << 16 | minor << 8 | patch of the library at run time. */
TQ_API uint32_t tq_version(void);
/* TQ_ABI_VERSION of the library at run time. */
TQ_API uint32_t tq_abi_version(void);

/* -------------------------------------------------------------- errors -- */

/* Values are pinned; new ones are only added. */
typedef int32_t tq_status;
enum {
    TQ_OK = 0,
    TQ_ERR_INVALID_ARGUMENT = 1, /* the call itself is wrong */
    TQ_ERR_OUT_OF_MEMORY = 2,    /* the allocator returned NULL */
    TQ_ERR_MEMORY_LIMIT = 3,     /* more than `max_memory` would be needed */
    TQ_ERR_CANCELLED = 4,        /* the progress callback said so */

    TQ_ERR_OPEN = 10,      /* a file can't be opened or created */
    TQ_ERR_READ = 11,      /* reading the source failed */
    TQ_ERR_WRITE = 12,     /* writing failed: disk full, callback refused */
    TQ_ERR_EXISTS = 13,    /* the output exists and TQ_SAVE_OVERWRITE is not set */
    TQ_ERR_SAME_FILE = 14, /* the output is the file that the model is read from */

    TQ_ERR_NOT_A_MODEL = 20, /* not a TFLite flatbuffer at all */
    TQ_ERR_CORRUPT = 21,     /* truncated, out of range, contradictory */
    TQ_ERR_UNSUPPORTED = 22, /* well-formed, but could not be kept intact */
    TQ_ERR_TOO_LARGE = 23,   /* a size does not fit the format */

    TQ_ERR_UNKNOWN_RECIPE = 30,
    TQ_ERR_BAD_RECIPE = 31, /* what a recipe in JSON says is wrong */

    TQ_ERR_INTERNAL = 90, /* a defect of this library; please report it */
};

/* "TQ_ERR_CORRUPT"; "unknown status" for a value that is none. Static string. */
TQ_API const char *tq_status_name(tq_status status);

#define TQ_NO_INDEX (-1)
#define TQ_NO_OFFSET UINT64_MAX

/* Caller-owned; no heap. Filled when a call fails, untouched otherwise. */
typedef struct tq_error {
    uint32_t struct_size;
    tq_status status;
    int32_t system_code; /* errno where the operating system refused, else 0 */
    int32_t subgraph;    /* indices as in the file; TQ_NO_INDEX: not about one */
    int32_t op;
    int32_t tensor;
    uint64_t offset;   /* byte in the file, or TQ_NO_OFFSET */
    char message[256]; /* one sentence for a person, UTF-8, no newline */
} tq_error;
#define TQ_ERROR_INIT                                                                              \
    {                                                                                              \
        sizeof(tq_error), 0, 0, TQ_NO_INDEX, TQ_NO_INDEX, TQ_NO_INDEX, TQ_NO_OFFSET, {             \
            0                                                                                      \
        }                                                                                          \
    }

/* ------------------------------------------------------- what you bring -- */

/* Memory. `alloc` returns storage aligned as malloc's or NULL; `free` takes
 * the size that was asked for. Called from the thread that called the library
 * and from the runner's workers. */
typedef struct tq_allocator {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    void *opaque;
    void *(*alloc)(void *opaque, size_t size);
    void (*free)(void *opaque, void *memory, size_t size);
} tq_allocator;

/* Threads. `run` calls task(data, i, worker) once for every i in [0, count), in
 * any order, at the same time if it likes, and returns when all are done.
 * `worker` is below `workers`, and no two calls with the same worker overlap. */
typedef void (*tq_task)(void *data, uint32_t index, uint32_t worker);
typedef struct tq_runner {
    uint32_t struct_size;
    uint32_t workers; /* 1 or more */
    void *opaque;
    void (*run)(void *opaque, tq_task task, void *data, uint32_t count);
} tq_runner;

/* Progress of a long call: `done` of `total` bytes of the output. Called from
 * the calling thread. Return non-zero to cancel. */
typedef int32_t (*tq_progress)(void *opaque, uint64_t done, uint64_t total);

/* Input, where it is neither a file nor memory: an asset, say. `read` fills `data` with the `size`
 * bytes from `offset` (always within `size` of the whole) and returns 0, or an errno value. It
 * is called by the runner's workers too, several at once. */
typedef struct tq_source {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    void *opaque;
    uint64_t size; /* of the whole */
    int32_t (*read)(void *opaque, uint64_t offset, void *data, size_t size);
} tq_source;

/* Output. Bytes arrive in order. Return 0, or an errno value to stop. */
typedef struct tq_sink {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    void *opaque;
    int32_t (*write)(void *opaque, const void *data, size_t size);
} tq_sink;

/* --------------------------------------------------------------- load -- */

typedef struct tq_model tq_model;

/* Instruction sets that kernels exist for. */
enum {
    TQ_CPU_AVX2 = 1u << 0, /* with F16C */
    TQ_CPU_AVX512 = 1u << 1,
    TQ_CPU_NEON = 1u << 2,
};

typedef struct tq_load_options {
    uint32_t struct_size;
    uint32_t cpu_disable;          /* TQ_CPU_...: not to be used even if there; for
                                      tests. Results are the same either way. */
    const tq_allocator *allocator; /* copied; NULL: malloc and free */
    uint64_t max_memory;           /* bytes held at once by this model and all
                                      made from it; 0: no limit */
    uint64_t max_output;           /* bytes that deflated members of a bundle may
                                      become together, bundles within it
                                      included; 0: 64 MiB, and 256 times the
                                      bundle where that is more */
} tq_load_options;
#define TQ_LOAD_OPTIONS_INIT                                                                       \
    { sizeof(tq_load_options), 0, NULL, 0, 0 }

/* A .tflite or a bundle of them, told apart by their content. The file stays open
 * (mapped) until the model is freed, and must not change meanwhile. The whole
 * structure is verified here, once, and of bundles all checksums. `options` may
 * be NULL. */
TQ_API tq_status tq_load_file(const char *path, const tq_load_options *options, tq_model **model,
                              tq_error *error);

/* `data` is borrowed until the model, and all that was made from it, is freed; any alignment. */
TQ_API tq_status tq_load_memory(const void *data, uint64_t size, const tq_load_options *options,
                                tq_model **model, tq_error *error);

/* Reads through `source` until the model is freed; the struct is copied. Of the file only
 * tables are held in memory; weights are read when they are converted. */
TQ_API tq_status tq_load_source(const tq_source *source, const tq_load_options *options,
                                tq_model **model, tq_error *error);

/* NULL is allowed. Models may be freed in any order: one made from another keeps
 * what it needs. */
TQ_API void tq_model_free(tq_model *model);

/* ------------------------------------------------------------- inspect -- */

/* What a file is. Values are pinned. */
enum {
    TQ_FORMAT_TFLITE = 0,
    TQ_FORMAT_ZIP = 1, /* a .task, or another ZIP archive */
    TQ_FORMAT_LITERTLM = 2,
};

/* Of a bundle only format, members and file_size mean something. */
typedef struct tq_model_info {
    uint32_t struct_size;
    uint32_t schema_version; /* 3 */
    uint64_t file_size;      /* bytes; for a model made by tq_quantize(), what
                                saving it gives (exact unless a constant
                                turns out not to be encodable, see
                                tq_report_entry.verdict) */
    uint32_t subgraphs;
    uint32_t buffers;
    uint32_t operator_codes;
    uint32_t metadata;
    uint32_t signatures;
    uint32_t format;         /* TQ_FORMAT_... */
    uint64_t trailing_bytes; /* behind the flatbuffer, referenced by no buffer: an
                                associated-files ZIP, accelerator byte code */
    const char *description;
    uint32_t members; /* of a bundle, else 0 */
    uint32_t reserved;
} tq_model_info;

typedef struct tq_subgraph_info {
    uint32_t struct_size;
    uint32_t tensors;
    uint32_t operators;
    uint32_t inputs; /* length of the arrays below; tensor indices */
    uint32_t outputs;
    uint32_t reserved;
    const int32_t *input_tensors;
    const int32_t *output_tensors;
    const char *name;
} tq_subgraph_info;

typedef struct tq_tensor_info {
    uint32_t struct_size;
    int32_t type; /* TensorType of the TFLite schema; see tq_type_name() */
    const char *name;
    uint32_t rank;
    uint32_t signature_rank; /* 0: no dynamic dimension */
    const int32_t *shape;
    const int32_t *shape_signature; /* -1: dynamic */
    uint32_t buffer;
    uint32_t is_variable;
    uint32_t is_sparse;
    uint32_t scales;     /* quantization scales: 0, 1, one per channel or one per block */
    uint64_t bytes;      /* of constant data; 0: not a constant */
    int32_t channel_dim; /* quantized dimension */
    uint32_t block_size; /* weights in a row with one scale, where scales are per block; else 0 */
    const float *scale;  /* `scales` values; NULL where there are none, where they are a tensor
                            of their own (per block), and, before saving, where they are not
                            computed yet */
    const int64_t *zero_point; /* `scales` values, or NULL */
} tq_tensor_info;

typedef struct tq_operator_info {
    uint32_t struct_size;
    int32_t builtin_code; /* BuiltinOperator of the TFLite schema */
    const char *name;     /* "CONV_2D"; the custom code of a custom operator */
    int32_t version;
    uint32_t is_custom;
    uint32_t inputs; /* lengths */
    uint32_t outputs;
    const int32_t *input_tensors; /* -1: optional input left out */
    const int32_t *output_tensors;
} tq_operator_info;

typedef struct tq_metadata_info {
    uint32_t struct_size;
    uint32_t buffer;
    uint64_t bytes;
    const char *name;
} tq_metadata_info;

typedef struct tq_signature_info {
    uint32_t struct_size;
    uint32_t subgraph;
    uint32_t inputs;
    uint32_t outputs;
    const char *key;
} tq_signature_info;

/* Each takes a struct whose struct_size is set. TQ_ERR_INVALID_ARGUMENT for an
 * index that is not there. */
TQ_API tq_status tq_get_model_info(const tq_model *model, tq_model_info *info);
TQ_API tq_status tq_get_subgraph_info(const tq_model *model, uint32_t subgraph,
                                      tq_subgraph_info *info);
TQ_API tq_status tq_get_tensor_info(const tq_model *model, uint32_t subgraph, uint32_t tensor,
                                    tq_tensor_info *info);
TQ_API tq_status tq_get_operator_info(const tq_model *model, uint32_t subgraph, uint32_t op,
                                      tq_operator_info *info);
TQ_API tq_status tq_get_metadata_info(const tq_model *model, uint32_t index,
                                      tq_metadata_info *info);
TQ_API tq_status tq_get_signature_info(const tq_model *model, uint32_t index,
                                       tq_signature_info *info);

/* "FLOAT32"; "type 77" style names do not exist: "unknown". Static string. */
TQ_API const char *tq_type_name(int32_t type);

/* ------------------------------------------------------------- bundles -- */
/*
 * A bundle is a model of models: tq_quantize() treats every model in it, and
 * saving keeps all else byte for byte, in its order. Members that are bundles
 * are treated in the same way.
 */

/* What a member holds. Values are pinned. */
enum {
    TQ_MEMBER_OTHER = 0, /* kept as it is */
    TQ_MEMBER_MODEL = 1,
    TQ_MEMBER_BUNDLE = 2,
    TQ_MEMBER_DIRECTORY = 3, /* an entry without content */
};

typedef struct tq_member_info {
    uint32_t struct_size;
    uint32_t kind;        /* TQ_MEMBER_... */
    uint32_t is_deflated; /* in the file that was loaded */
    uint32_t reserved;
    uint64_t size;        /* bytes of the content; of a model made by
                             tq_quantize(), what saving it gives */
    uint64_t stored_size; /* bytes that the content takes in the file loaded */
    const char *name;     /* in its bundle: the path within a ZIP; of a .litertlm
                             its type, numbered from the second of a type on:
                             "TFLiteModel", "TFLiteModel_2" */
    const char *path;     /* from the outermost bundle: "inner.task/a.tflite" */
} tq_member_info;

/* index from 0 to tq_model_info.members - 1 */
TQ_API tq_status tq_get_member_info(const tq_model *bundle, uint32_t index, tq_member_info *info);

/* The member as a model or a bundle of its own, with its own report; NULL for any other.
 * It belongs to `bundle`, and is not to be freed. */
TQ_API tq_model *tq_member_model(tq_model *bundle, uint32_t index);

/* Writes what the member of any kind holds in the file that was loaded, inflated.
 * TQ_ERR_INVALID_ARGUMENT for an index that is not there. */
TQ_API tq_status tq_extract_member(const tq_model *bundle, uint32_t index, const tq_sink *sink,
                                   tq_error *error);

/* ------------------------------------------------------------- recipes -- */

/* What to do to a model. Immutable once made. */
typedef struct tq_recipe tq_recipe;

typedef struct tq_recipe_info {
    uint32_t struct_size;
    uint32_t is_default; /* 1 for the recipe that `name` NULL stands for */
    const char *name;
    const char *summary; /* one line */
} tq_recipe_info;

/* The built-in recipes: index from 0 until TQ_ERR_INVALID_ARGUMENT. */
TQ_API tq_status tq_get_recipe_info(uint32_t index, tq_recipe_info *info);

/* A built-in recipe by name; NULL: the default one. Free it when done. */
TQ_API tq_status tq_recipe_create(const char *name, tq_recipe **recipe, tq_error *error);
/* A recipe of your own: a built-in one with options, as the `size` bytes of one JSON object (strict
 * JSON in UTF-8):
 *
 *     {"recipe": "dynamic_wi8_afp32", "rounding": "inputs", "bias_correction": true}
 *
 *     recipe           name of the built-in one that it is, but for what follows. Required.
 *     rounding         of int8 weights. "plain": each to the nearest. "sums": so that kernels keep
 *                      their sums. "inputs": for least error in what layers give, from what they
 *                      see; "sums" where that is not known, or with TQ_EFFORT_FAST.
 *     bias_correction  true: biases take back what rounding adds to the outputs' means.
 *     float_budget     share of the file, from 0 to 1, that may go to weights that float16 serves
 *                      best; int8 then is where it is smaller than float16 only.
 *     name             for reports, see tq_recipe_name().
 *
 * What is left out is as in the built-in recipe. The options are about int8 weights, behind
 * DEQUANTIZE or dynamic. What is wrong is TQ_ERR_BAD_RECIPE; the message says where (line and
 * column), tq_error.offset at which byte. TQ_ERR_UNSUPPORTED: an option for which this library
 * would have to run models, and was built without what does; and recipes that are JSON arrays, as
 * litert-quantizer's are: those are not read yet. */
TQ_API tq_status tq_recipe_parse(const char *json, size_t size, tq_recipe **recipe,
                                 tq_error *error);
/* The built-in recipe's name, or what "name" says in JSON, "" where that says nothing. Lives as
 * long as the recipe. */
TQ_API const char *tq_recipe_name(const tq_recipe *recipe);
/* NULL is allowed. */
TQ_API void tq_recipe_free(tq_recipe *recipe);

/* ---------------------------------------------------------- statistics -- */
/*
 * What the layers of a model see. Recipes that use it run the model on synthetic inputs by
 * themselves; data of your own is better where it is like what the model will get. tq_check() takes
 * statistics, too.
 */
typedef struct tq_stats tq_stats;

/* A dense array, row-major, in the machine's byte order. The layout is final. */
typedef struct tq_array {
    const void *data;
    uint64_t bytes;
    const int32_t *shape;
    uint32_t rank;
    int32_t type; /* TensorType: FLOAT32, INT32, INT64 or BOOL */
} tq_array;

typedef struct tq_stats_options {
    uint32_t struct_size;
    uint32_t subgraph;       /* whose inputs are given; 0: the main one */
    const tq_runner *runner; /* NULL: all in the calling thread. What it points to must outlive the
                                statistics, the struct itself is copied */
} tq_stats_options;
#define TQ_STATS_OPTIONS_INIT                                                                      \
    { sizeof(tq_stats_options), 0, NULL }

/* For a model that was loaded (of a bundle: for one of its members); `options` may be NULL. It
 * keeps what it needs of the model, which may be freed before it. TQ_ERR_UNSUPPORTED: this library
 * was built without what runs models. */
TQ_API tq_status tq_stats_create(const tq_model *model, const tq_stats_options *options,
                                 tq_stats **stats, tq_error *error);
/* Runs the model on one set of inputs, in the order of the subgraph's inputs, with the subgraph's
 * types, and shapes but for dynamic dimensions. Nothing of the arrays is kept but statistics, and
 * copies of the first few sets, to judge results by. What can't be run is left out: see
 * tq_stats_info. Not from two threads at once. After a lack of memory, here or in tq_quantize(),
 * the statistics are incomplete, and of no more use. */
TQ_API tq_status tq_stats_add(tq_stats *stats, const tq_array *inputs, uint32_t n_inputs,
                              tq_error *error);

typedef struct tq_stats_info {
    uint32_t struct_size;
    uint32_t sets;       /* of inputs that were added */
    uint32_t layers;     /* operators with weights */
    uint32_t known;      /* of these, with statistics */
    uint32_t operators;  /* of the subgraph */
    uint32_t refused;    /* of these, that can't be run */
    const char *refusal; /* why the first of them can't; "": there is none */
} tq_stats_info;
TQ_API tq_status tq_get_stats_info(const tq_stats *stats, tq_stats_info *info);

/* NULL is allowed. */
TQ_API void tq_stats_free(tq_stats *stats);

/* ------------------------------------------------------------ quantize -- */

/* A recipe for some models of a bundle. In `pattern` a '*' stands for any bytes, '/'
 * too, and a '?' for any one; it is compared with tq_member_info.path. */
typedef struct tq_member_recipe {
    const char *pattern;
    const tq_recipe *recipe;
} tq_member_recipe;

enum {
    TQ_QUANTIZE_KEEP_STORAGE = 1u << 0, /* models of a ZIP are deflated where they
                                           were, and not aligned where they were
                                           not; else they are stored, aligned to
                                           16 bytes, so that they can be mapped */
};

/* How long recipes that run the model may take: a few runs, some seconds, as long as it helps.
 * Values are pinned. */
enum {
    TQ_EFFORT_NORMAL = 0,
    TQ_EFFORT_FAST = 1,
    TQ_EFFORT_BEST = 2,
};

/* What the result is to run on: it gets no encoding that this refuses, or is slower with. What a
 * recipe asks for and the target does not take stays as it is: TQ_REASON_TARGET_REFUSES. What the
 * model had from the start is mended by tq_rewrite(), if at all. Values are pinned. */
enum {
    TQ_TARGET_XNNPACK = 0, /* LiteRT on a CPU, with its default delegate */
    TQ_TARGET_GPU = 1,     /* LiteRT's GPU delegates */
    TQ_TARGET_LITERT = 2,  /* its builtin kernels, without a delegate */
    TQ_TARGET_NNAPI = 3,   /* Android's NNAPI delegate: it unpacks nothing, and takes int8 filters
                              of CONV_2D */
    /* these take no small weights beside float arithmetic: */
    TQ_TARGET_TFLITE_MICRO = 4, /* the runtime for microcontrollers */
    TQ_TARGET_INT8_ONLY = 5,    /* accelerators that have nothing but int8 */
};

typedef struct tq_quantize_options {
    uint32_t struct_size;
    uint32_t flags;                         /* TQ_QUANTIZE_... */
    const tq_member_recipe *member_recipes; /* the first whose pattern fits counts, and
                                               `recipe` where none does. A pattern that
                                               fits no model: TQ_ERR_INVALID_ARGUMENT */
    uint32_t n_member_recipes;
    uint32_t effort;        /* TQ_EFFORT_... */
    uint32_t target;        /* TQ_TARGET_... */
    uint32_t n_stats;       /* length of `stats` */
    tq_stats *const *stats; /* each for the model that it was made from, and ended
                               by this: nothing can be added then. A model
                               without any runs on synthetic inputs */
    uint64_t target_size;   /* bytes of the whole file that are not to be exceeded:
                               the most accurate result that fits. 0: none */
    double min_snr_db;      /* of the worst output, as far as the library can tell:
                               the smallest result that has it. 0: none. Recipes that
                               mix types have int4 for either goal too, in blocks of
                               32, in FULLY_CONNECTED on XNNPACK: what has it
                               needs LiteRT 2.1, and is_dynamic */
    tq_progress progress;   /* NULL: none; counts steps, not bytes */
    void *progress_opaque;
    const tq_runner *runner; /* NULL: all in the calling thread. The result is the same for any
                                number of workers; each takes some memory for itself */
} tq_quantize_options;
#define TQ_QUANTIZE_OPTIONS_INIT                                                                   \
    { sizeof(tq_quantize_options), 0, NULL, 0, 0, 0, 0, NULL, 0, 0, NULL, NULL, NULL }

/* Decides, constant by constant, and gives a new model with those decisions in
 * it; weights are converted while it is saved. `model` stays as it is. Nothing
 * to do is TQ_OK: see tq_report_totals.changed. `options` may be NULL. */
TQ_API tq_status tq_quantize(const tq_model *model, const tq_recipe *recipe,
                             const tq_quantize_options *options, tq_model **quantized,
                             tq_error *error);

/* -------------------------------------------------------------- report -- */

typedef struct tq_report tq_report;

/* What happened to a constant. Values are pinned. */
enum {
    TQ_VERDICT_KEPT = 0,      /* exactly as it was */
    TQ_VERDICT_QUANTIZED = 1, /* to integers with scales */
    TQ_VERDICT_FLOAT16 = 2,   /* to float16 */
    TQ_VERDICT_FOLDED = 3,    /* same values, plain: float16 or sparse unpacked to float32 */
};

/* Why a constant was not quantized (kept, folded). Values are pinned. */
enum {
    TQ_REASON_NONE = 0,
    TQ_REASON_RECIPE_COPIES = 1,      /* the recipe changes nothing */
    TQ_REASON_NOT_FLOAT = 2,          /* integers, strings, ... */
    TQ_REASON_QUANTIZED_ALREADY = 3,  /* stays as it is */
    TQ_REASON_NOT_COVERED = 4,        /* the recipe has no rule for its operator's input */
    TQ_REASON_BIAS = 5,               /* biases stay float32 */
    TQ_REASON_NOT_SMALLER = 6,        /* encoding it would save nothing */
    TQ_REASON_FLOAT_USE = 7,          /* another operator needs the float values */
    TQ_REASON_GRAPH_BOUNDARY = 8,     /* it is an input or output of its subgraph */
    TQ_REASON_COMPOSITE = 9,          /* inside a composite's decomposition */
    TQ_REASON_RUNTIME_REFUSES = 10,   /* the runtime has no kernel for the result */
    TQ_REASON_NOT_FINITE = 11,        /* NaN or infinity among the values */
    TQ_REASON_OUT_OF_RANGE = 12,      /* values, or scales of blocks, beyond float16 */
    TQ_REASON_SPARSE_IS_SMALLER = 13, /* the sparse form is smaller than any result */
    TQ_REASON_UNUSED = 14,            /* no operator reads it */
    TQ_REASON_BAD_SIZE = 15,          /* its buffer does not hold its shape */
    TQ_REASON_CUSTOM_OPERATOR = 16,   /* custom operators are never touched */
    TQ_REASON_FLOAT16_ALREADY = 17,   /* already what the recipe would make */
    TQ_REASON_TOO_NOISY = 18,         /* int8 would cost more accuracy than its bytes are worth */
    TQ_REASON_TARGET_REFUSES = 19,    /* the target does not take the result */
};

/* "kept", "quantized", ...; "its operator's input is not covered by the recipe".
 * Static strings; "unknown" for a value that is none. */
TQ_API const char *tq_verdict_name(uint32_t verdict);
TQ_API const char *tq_reason_name(uint32_t reason); /* "NOT_COVERED" */
TQ_API const char *tq_reason_text(uint32_t reason);

/* One constant tensor of the source model. float16 behind DEQUANTIZE, and
 * sparse behind DENSIFY, count as one constant under the name of the tensor
 * that operators read. Verdicts are final after saving: a constant that turns
 * out to hold NaN, for example, is then kept. */
typedef struct tq_report_entry {
    uint32_t struct_size;
    uint32_t verdict;
    uint32_t reason;
    uint32_t subgraph; /* indices in the source model */
    uint32_t tensor;
    int32_t op;       /* first operator that reads it, or TQ_NO_INDEX */
    int32_t op_input; /* which of its inputs */
    int32_t builtin_code;
    const char *name;
    const char *op_name; /* "" without operator */
    const int32_t *shape;
    uint32_t rank;
    int32_t from_type; /* as stored in the source: FLOAT16 behind DEQUANTIZE ... */
    int32_t to_type;
    uint32_t from_sparse;
    uint32_t to_sparse;
    uint32_t scales; /* of the result: 0, 1, one per channel or one per block */
    uint64_t elements;
    uint64_t bytes_before; /* data, scales, zero points, sparse indices */
    uint64_t bytes_after;
    double snr_db;          /* 10 log10(sum w^2 / sum (w - w')^2); +inf where exact;
                               NaN until saved, and where nothing was converted */
    double output_snr_db;   /* of the model's worst output, were this constant alone changed, on
                               the inputs that the recipe tried; NaN: not measured */
    uint64_t runtime_bytes; /* that the target's runtime will hold for it */
    uint32_t is_dynamic;    /* its operators quantize their activations */
    uint32_t reserved;
} tq_report_entry;

/* What became of target_size or min_snr_db. Values are pinned. */
enum {
    TQ_GOAL_NONE = 0, /* none was asked for */
    TQ_GOAL_REACHED = 1,
    TQ_GOAL_MISSED = 2, /* the result is as near to it as this library gets */
};

typedef struct tq_report_totals {
    uint32_t struct_size;
    uint32_t changed; /* 0: the output holds what the input holds */
    uint32_t constants;
    uint32_t quantized; /* verdict QUANTIZED */
    uint32_t float16;   /* verdict FLOAT16 */
    uint32_t folded;
    uint64_t constant_bytes_before;
    uint64_t constant_bytes_after;
    uint64_t file_bytes_before;
    uint64_t file_bytes_after;
    double mean_snr_db;         /* over the constants with a finite snr_db; NaN: none */
    double output_snr_db;       /* of the model's worst output, on inputs that the recipe kept for
                                   that; NaN: not measured */
    double plain_output_snr_db; /* the same, had the same constants been rounded plainly */
    uint64_t runtime_bytes_before; /* that the target's runtime holds for constants */
    uint64_t runtime_bytes_after;
    uint32_t layers;       /* operators with weights that statistics were wanted of */
    uint32_t known_layers; /* of these, those that there are statistics of */
    const char *refusal;   /* why the first operator that can't be run can't; "": none */
    uint32_t goal;         /* TQ_GOAL_... */
    uint32_t reserved;
} tq_report_totals;

/* NULL for a model that tq_quantize() did not make. Lives as long as the model. The
 * report of a bundle has no entries of its own: those of its models have them. Its totals
 * are sums over all models in it. */
TQ_API const tq_report *tq_model_report(const tq_model *model);
/* index from 0 to totals.constants - 1 */
TQ_API tq_status tq_get_report_entry(const tq_report *report, uint32_t index,
                                     tq_report_entry *entry);
TQ_API tq_status tq_get_report_totals(const tq_report *report, tq_report_totals *totals);

/* ---------------------------------------------------------------- save -- */

enum {
    TQ_SAVE_OVERWRITE = 1u << 0, /* replace an existing file (never the source) */
    TQ_SAVE_SYNC = 1u << 1,      /* flush to the device before the rename */
};

typedef struct tq_save_options {
    uint32_t struct_size;
    uint32_t flags;          /* TQ_SAVE_... */
    const tq_runner *runner; /* NULL: all in the calling thread */
    tq_progress progress;    /* NULL: none */
    void *progress_opaque;
} tq_save_options;
#define TQ_SAVE_OPTIONS_INIT                                                                       \
    { sizeof(tq_save_options), 0, NULL, NULL, NULL }

/* Writes a temporary file beside `path` and renames it when complete: `path` is
 * either untouched or whole. `options` may be NULL. */
TQ_API tq_status tq_save_file(tq_model *model, const char *path, const tq_save_options *options,
                              tq_error *error);

/* Writes to a callback. `sink` NULL: converts everything and writes nothing (a dry
 * run, after which the report is final). */
TQ_API tq_status tq_save_sink(tq_model *model, const tq_sink *sink, const tq_save_options *options,
                              tq_error *error);

/* Into memory from the model's allocator; give it back by tq_memory_free() while
 * the model is alive. */
TQ_API tq_status tq_save_memory(tq_model *model, const tq_save_options *options, void **data,
                                uint64_t *size, tq_error *error);
TQ_API void tq_memory_free(const tq_model *model, void *data, uint64_t size);

/* -------------------------------------------------------------- verify -- */
/*
 * Two models side by side on the same inputs: how far outputs and layers of the one are from those
 * of the other, and which layer brings the error in. Both run in the library's own executor, which
 * computes with quantized weights as the runtime does. What that can't run (custom operators,
 * control flow, quantized activations), and what depends on it, is skipped in both.
 *
 * The graphs may differ in how constants are stored, in indices, and in operators that have no
 * counterpart. Layers are outputs of operators: those with the same name, shape and type in
 * both belong together where no other has that name, and between them those with the same operators
 * in the same order.
 */
typedef struct tq_verification tq_verification;

typedef struct tq_verify_options {
    uint32_t struct_size;
    uint32_t n_sets;        /* inputs to run on; 0: 8 synthetic ones */
    const tq_array *inputs; /* n_sets times one for each graph input, in the graph's order; NULL:
                               synthetic ones */
    const char *signature;  /* key of the one to run; NULL: all that there are. A model with
                               several wants it with `inputs` */
    double low, high;       /* black and white of synthetic pictures; both 0: as the metadata
                               say, else one half of the pictures from 0 to 1 and one from
                               -1 to 1, of which that with more error counts */
    uint32_t seed;          /* of synthetic inputs; 0: one that no recipe uses */
    uint32_t n_trials;      /* layers that are tried alone, those with most error of their own;
                               0: 32 */
    tq_progress progress;   /* NULL: none; counts steps, not bytes */
    void *progress_opaque;
    const tq_runner *runner; /* NULL: all in the calling thread */
} tq_verify_options;
#define TQ_VERIFY_OPTIONS_INIT                                                                     \
    { sizeof(tq_verify_options), 0, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL }

typedef struct tq_verification_info {
    uint32_t struct_size;
    uint32_t n_sets;
    uint32_t outputs; /* of all subgraphs that ran, compared or not */
    uint32_t layers;
    uint32_t compared_outputs;
    uint32_t compared_layers;
    int32_t worst_output; /* index: the lowest snr_db; TQ_NO_INDEX: none was compared, or of no
                             floats. Outputs of a single number only if there is no other */
    int32_t entry_layer;  /* index: most of the error in worst_output enters there, as far as
                             trials tell; if none could be made, the layer with most error of
                             its own. TQ_NO_INDEX: there is no error in it */
    uint32_t unmatched;   /* layers without a counterpart */
    uint32_t other_unmatched;
    uint32_t skipped; /* operators that were not run */
    uint32_t other_skipped;
    const char *refusal; /* why the first of these was not; "": none */
} tq_verification_info;

/* An output or a layer. Numbers are over all inputs (but see tq_verify_options.low); elements that
 * are NaN or infinite in both are left out. NaN where there is nothing to say. */
typedef struct tq_comparison {
    uint32_t struct_size;
    uint32_t sets;     /* inputs that it was compared on; 0: it was not */
    uint32_t subgraph; /* indices as in the reference, then as in the other model */
    int32_t op;        /* TQ_NO_INDEX: of an output that no operator makes */
    int32_t tensor;
    uint32_t other_subgraph;
    int32_t other_op;
    int32_t other_tensor;
    int32_t output;       /* position among the outputs of its subgraph; of a layer TQ_NO_INDEX */
    int32_t builtin_code; /* of op */
    const char *name;
    const char *op_name; /* "" without operator */
    const char *other_op_name;
    const int32_t *shape; /* of the last run */
    uint32_t rank;
    int32_t type;
    uint64_t elements;
    uint64_t differing;     /* elements */
    uint64_t broken;        /* elements that are finite in one of both only */
    double snr_db;          /* 10 log10(sum y^2 / sum (y - y')^2); +inf: equal; -inf: something is
                               broken; NaN: integers that differ */
    double cosine;          /* of floats */
    double mean_magnitude;  /* mean |y| */
    double mean_difference; /* mean |y - y'| */
    double mean_relative_difference; /* mean |y - y'| / mean |y| */
    double max_difference;
    double local_snr_db;  /* of a layer: of its own error, given what the reference gives its
                             inputs */
    double output_snr_db; /* of worst_output, had the reference this layer alone from the other
                             model, on up to two of the inputs; NaN: not tried */
    double low;  /* black and white of the pictures that these numbers are of, where there were */
    double high; /* two kinds; else NaN */
} tq_comparison;

/* `reference` and `other` are models that were loaded, no bundles: those have models in them. Other
 * inputs or outputs in `other` than in `reference` are TQ_ERR_INVALID_ARGUMENT. Memory is that
 * of `reference`. TQ_ERR_UNSUPPORTED where the library was built without its executor. `options`
 * may be NULL. */
TQ_API tq_status tq_verify(const tq_model *reference, const tq_model *other,
                           const tq_verify_options *options, tq_verification **verification,
                           tq_error *error);

/* NULL is allowed. The models may be freed before. */
TQ_API void tq_verification_free(tq_verification *verification);

TQ_API tq_status tq_get_verification_info(const tq_verification *verification,
                                          tq_verification_info *info);
/* index from 0 to tq_verification_info.outputs - 1 */
TQ_API tq_status tq_get_output_comparison(const tq_verification *verification, uint32_t index,
                                          tq_comparison *comparison);
/* index from 0 to tq_verification_info.layers - 1, in the order in which the reference runs */
TQ_API tq_status tq_get_layer_comparison(const tq_verification *verification, uint32_t index,
                                         tq_comparison *comparison);

/* --------------------------------------------------------------- check -- */
/*
 * What will fail, or go wrong without a word, on a target: operators and versions that it does not
 * have, shapes that do not fit, scales that break kernels, values that int8 can't hold. Given
 * statistics it also tells where static int8 would join ranges that are far apart (CONCATENATION).
 */
typedef struct tq_findings tq_findings;

/* Values are pinned. */
enum {
    TQ_SEVERITY_NOTE = 0,    /* it works; slower, or larger, than it could */
    TQ_SEVERITY_WARNING = 1, /* it may fail, or be wrong, where this can't tell */
    TQ_SEVERITY_ERROR = 2,   /* the target refuses it, or gives something else */
};

enum {
    TQ_CHECK_GRAPH = 1u << 0, /* not the rules that read weights: quick, however large the file.
                                 What tq_quantize() converts they pass over either way */
};

typedef struct tq_check_options {
    uint32_t struct_size;
    uint32_t target;        /* TQ_TARGET_... */
    const char *runtime;    /* "2.5": operator versions that this release of TensorFlow or LiteRT
                               does not have are errors; NULL: any release */
    uint32_t flags;         /* TQ_CHECK_... */
    uint32_t n_stats;       /* length of `stats` */
    tq_stats *const *stats; /* each for the model that it was made from, and still the caller's:
                               nothing is added to them, nor are they ended. For rules that ask
                               what values tensors reach to (targets tflite-micro and int8-only);
                               where nothing was added, on a few synthetic inputs, which the
                               model then runs on here. Of a model without any, and of one that
                               tq_quantize() made, these rules say nothing. Not with the same
                               ones from two threads at once */
} tq_check_options;
#define TQ_CHECK_OPTIONS_INIT                                                                      \
    { sizeof(tq_check_options), TQ_TARGET_LITERT, NULL, 0, 0, NULL }

/* Indices are those of the model that was checked, and TQ_NO_INDEX where it is not about one. */
typedef struct tq_finding {
    uint32_t struct_size;
    uint32_t severity; /* TQ_SEVERITY_... */
    const char *rule;  /* "broadcast-to-shape"; see tq_get_rule_info() */
    int32_t subgraph;
    int32_t op;       /* as the runtime counts: "Node number 36" */
    int32_t op_input; /* which of its inputs */
    int32_t tensor;
    int32_t builtin_code; /* of the operator */
    const char *op_name;  /* "CONV_2D"; the custom code of a custom operator */
    const char *tensor_name;
    const char *message; /* what fails and where: a few sentences, no newline */
    const char *cure;    /* the rewrite that cures it, "broadcast-to-tile"; "": none */
    const char *path;    /* of the model in its bundle, as tq_member_info.path; "" */
} tq_finding;

/* A bundle is all its models. Findings come model by model, rule by rule, then in the order of
 * operators, at most 4096 of a rule and a model. No findings is TQ_OK too. `options` may be NULL.
 */
TQ_API tq_status tq_check(const tq_model *model, const tq_check_options *options,
                          tq_findings **findings, tq_error *error);
/* May outlive the model. NULL is allowed. */
TQ_API void tq_findings_free(tq_findings *findings);

TQ_API uint32_t tq_findings_count(const tq_findings *findings);
/* index from 0 to tq_findings_count() - 1 */
TQ_API tq_status tq_get_finding(const tq_findings *findings, uint32_t index, tq_finding *finding);

typedef struct tq_rule_info {
    uint32_t struct_size;
    uint32_t targets; /* bits 1 << TQ_TARGET_...: those that it is asked for */
    const char *name;
    const char *summary; /* one line */
} tq_rule_info;

/* The rules of tq_check(): index from 0 until TQ_ERR_INVALID_ARGUMENT. */
TQ_API tq_status tq_get_rule_info(uint32_t index, tq_rule_info *info);

/* "gpu"; "warning". Static strings; "unknown" for a value that is none. */
TQ_API const char *tq_target_name(uint32_t target);
TQ_API const char *tq_severity_name(uint32_t severity);

/* ------------------------------------------------------------- rewrite -- */
/*
 * Graphs that compute the same, bit by bit, without what runtimes and delegates refuse or stumble
 * over. Custom operators, bodies of control flow and composites stay as they are; inputs, outputs
 * and signatures keep their names, types and shapes. Dimensions that shape_signature does not call
 * dynamic are taken to be fixed: inputs can't be resized in them afterwards. What runs only when it
 * is named may let the runtime choose kernels that sum in another order.
 */
typedef struct tq_rewrite_info {
    uint32_t struct_size;
    uint32_t is_default; /* 1: it runs when none is named */
    const char *name;    /* "broadcast-to-tile" */
    const char *summary; /* one line */
} tq_rewrite_info;

/* The rewrites, in the order in which they run: index from 0 until TQ_ERR_INVALID_ARGUMENT. */
TQ_API tq_status tq_get_rewrite_info(uint32_t index, tq_rewrite_info *info);

typedef struct tq_rewrite_options {
    uint32_t struct_size;
    uint32_t target;          /* TQ_TARGET_...: what replaces an operator, it has */
    const char *const *names; /* only these; NULL: the default ones */
    uint32_t n_names;
    uint32_t reserved; /* 0 */
} tq_rewrite_options;
#define TQ_REWRITE_OPTIONS_INIT                                                                    \
    { sizeof(tq_rewrite_options), TQ_TARGET_XNNPACK, NULL, 0, 0 }

/* Gives a new model, of a bundle with every model in it rewritten, until none of the rewrites
 * finds anything more to do. It can be inspected, saved and quantized, and rewritten again; weights
 * stay in the file of `model`. Nothing to do is TQ_OK too: then saving gives what was loaded.
 * `options` may be NULL. A name that is none: TQ_ERR_INVALID_ARGUMENT. */
TQ_API tq_status tq_rewrite(const tq_model *model, const tq_rewrite_options *options,
                            tq_model **rewritten, tq_error *error);

/* What a rewrite did, with indices and names of the model that was rewritten; several edits may be
 * about one operator. */
typedef struct tq_edit_info {
    uint32_t struct_size;
    uint32_t subgraph;
    int32_t op;          /* that was dropped, replaced or mended; TQ_NO_INDEX: a tensor */
    int32_t tensor;      /* its output; TQ_NO_INDEX: none, or a tensor that a rewrite had made */
    const char *rewrite; /* name */
    const char *op_name; /* "BROADCAST_TO"; "" without operator */
    const char *name;    /* of the tensor */
} tq_edit_info;

/* Edits of a model that tq_rewrite() made, or that was quantized from such a model; those of a
 * bundle have the models in it. */
TQ_API uint32_t tq_edit_count(const tq_model *model);
/* index from 0 to tq_edit_count() - 1 */
TQ_API tq_status tq_get_edit_info(const tq_model *model, uint32_t index, tq_edit_info *info);

#ifdef __cplusplus
}
#endif

#endif
