/* SPDX-License-Identifier: Apache-2.0 */
/* What targets take of the builtin operators, and since when runtimes have their versions. The
 * files behind this say what they were read from, and when. */
#ifndef TQI_TFLITE_OP_SUPPORT_H
#define TQI_TFLITE_OP_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TQI_XNNPACK_FLOAT = 1 << 0,  /* XNNPACK takes it with float32, */
    TQI_XNNPACK_INT8 = 1 << 1,   /* with int8, */
    TQI_XNNPACK_HYBRID = 1 << 2, /* with float32 and weights of int8 */
    TQI_MICRO = 1 << 3,          /* tflite-micro has it */
    /* int8 activations: */
    TQI_INT8 = 1 << 4,             /* there is a kernel */
    TQI_INT8_RAW = 1 << 5,         /* the kernel takes the bare integers for numbers, or worse */
    TQI_INT8_NONE_NEEDED = 1 << 6, /* it has none: booleans, indices, resources */
    /* inputs and outputs must have the same scale and zero point: */
    TQI_SAME_REFUSED = 1 << 7, /* or the kernel refuses it */
    TQI_SAME_SILENT = 1 << 8,  /* or the kernel computes something else */
    TQI_SAME_XNNPACK = 1 << 9, /* or XNNPACK does not load the model */
};

enum { TQI_ANY_VERSION = 255 };

typedef struct tqi_op_support {
    uint8_t builtin;
    uint8_t newest;                  /* version that LiteRT registers */
    uint8_t classic_gpu, gpu, nnapi; /* newest version that the delegate takes; 0: none */
    uint16_t flags;
} tqi_op_support;

/* NULL: LiteRT does not register the operator. */
const tqi_op_support *tqi_find_support(int32_t builtin);

/* What a weight that is not float32 asks of a target: to unpack it, or to compute with it. */
typedef enum tqi_weight_form {
    TQI_WEIGHT_CHANNELS_UNPACKED, /* int8 by channel behind DEQUANTIZE */
    TQI_WEIGHT_HALF_UNPACKED,     /* float16 behind DEQUANTIZE */
    TQI_WEIGHT_DIRECT,            /* small integers that a float32 operator reads as they are */
} tqi_weight_form;

/* false: the target refuses the form, leaves what has it to the CPU, or computes something else.
 * `target`: TQ_TARGET_...; `version`: that the operator has with it. Operators whose form fails
 * for other reasons than their version have rules of their own. */
bool tqi_target_takes(uint32_t target, int32_t builtin, int32_t version, tqi_weight_form form);

/* 217 for TensorFlow 2.17; 0: not known. */
uint32_t tqi_first_release(int32_t builtin, int32_t version);

#endif
