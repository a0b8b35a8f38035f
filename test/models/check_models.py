# SPDX-License-Identifier: Apache-2.0
"""Small models for test_check.py: for each rule one that it finds, and one that is nearly the same and fine."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

from graph_builder import Builder, weights

FLOAT, INT, BYTE, SHORT = np.float32, np.int32, np.int8, np.int16


def ints(*values):
    return np.array(values, INT)


def scaled(scale=0.1, zero=0, dim=0):
    scale = np.atleast_1d(np.array(scale, FLOAT))
    zero = np.broadcast_to(np.array(zero, np.int64), scale.shape).copy()
    return tfl.QuantizationParametersT(scale=scale, zeroPoint=zero, quantizedDimension=dim)


class Input:
    def __init__(self, shape, kind=FLOAT, quantization=None, signature=None):
        self.shape, self.kind, self.quantization, self.signature = shape, kind, quantization, signature


class Const:
    def __init__(self, values, quantization=None, **more):
        self.values, self.quantization, self.more = values, quantization, more


def op(name, inputs, outputs, options=None, version=1, code=None):
    """A model of one operator. Inputs: arrays, Const, Input, None for one left out; outputs: Input."""
    b = Builder()
    g = b.graph("main")
    feeds, operands = [], []
    for i, x in enumerate(inputs):
        if x is None:
            operands.append(-1)
        elif isinstance(x, Input):
            operands.append(g.tensor(f"x{i}", x.shape, x.kind, quantization=x.quantization, shapeSignature=x.signature))
            feeds.append(operands[-1])
        else:
            x = x if isinstance(x, Const) else Const(x)
            operands.append(g.const(f"c{i}", x.values, quantization=x.quantization, **x.more))
    made = [g.tensor(f"y{i}", y.shape, y.kind, quantization=y.quantization) for i, y in enumerate(outputs)]
    g.op(name, operands, made, options, version)
    g.io(feeds, made)
    return b


def pack(builder):
    return builder.pack()


def broadcast_to(source, target, version=2, kind=FLOAT, quantization=None):
    return pack(op("BROADCAST_TO", [Input(source, kind, quantization), ints(*target)],
                   [Input(target, kind, quantization)], tfl.BroadcastToOptionsT(), version))


def add(version=1, kind=FLOAT, **more):
    return pack(op("ADD", [Input([2, 3], kind, **more), Input([2, 3], kind, **more)], [Input([2, 3], kind, **more)],
                   tfl.AddOptionsT(potScaleInt16=False), version))


def unary(name, kind=FLOAT, shape=(1, 4), options=None, version=1, before=None, behind=None, signature=None):
    return pack(op(name, [Input(shape, kind, before, signature)], [Input(shape, kind, behind)], options, version))


def conv(filter_=None, filter_scale=None, bias=None, kind=FLOAT, before=None, behind=None, bias_scale=None, channels=2,
         name="CONV_2D", bias_type=0):
    filter_ = weights(3, 1, 1, channels) if filter_ is None else filter_
    units = filter_.shape[3] if name == "DEPTHWISE_CONV_2D" else filter_.shape[0]
    bias = np.zeros(units, FLOAT) if bias is None else bias
    if name == "CONV_2D":
        options = tfl.Conv2DOptionsT(strideH=1, strideW=1, quantizedBiasType=bias_type)
    else:
        options = tfl.DepthwiseConv2DOptionsT(strideH=1, strideW=1, depthMultiplier=1)
    return pack(op(name, [Input([1, 4, 4, channels], kind, before), Const(filter_, filter_scale),
                          None if isinstance(bias, str) else Const(bias, bias_scale)],
                   [Input([1, 4, 4, units], kind, behind)], options, 3))


def fully_connected(w, scale=None, kind=FLOAT, before=None, behind=None, bias=None, bias_scale=None, version=1, rank=2):
    shape = [1] * (rank - 1) + [w.shape[1]]
    out = [1] * (rank - 1) + [w.shape[0]]
    return op("FULLY_CONNECTED",
              [Input(shape, kind, before), Const(w, scale), None if bias is None else Const(bias, bias_scale)],
              [Input(out, kind, behind)], tfl.FullyConnectedOptionsT(keepNumDims=True), version)


def residual(rank):
    """FULLY_CONNECTED with int8 weights by channel, and an ADD of its input and output."""
    w = np.ones((4, 4), BYTE)
    b = fully_connected(w, scaled([0.1] * 4), version=12, rank=rank)
    t = b.t.subgraphs[0]
    x, y = int(t.inputs[0]), int(t.outputs[0])
    t.tensors.append(tfl.TensorT(name="sum", shape=t.tensors[y].shape, type=0, buffer=0))
    t.operators.append(tfl.OperatorT(
        opcodeIndex=b.code("ADD"), inputs=ints(x, y), outputs=ints(len(t.tensors) - 1),
        builtinOptionsType=tfl.BuiltinOptions.AddOptions, builtinOptions=tfl.AddOptionsT()))
    t.outputs = ints(len(t.tensors) - 1)
    return pack(b)


def through_dequantize(kind):
    """FULLY_CONNECTED whose weights, and one whose bias, come through DEQUANTIZE."""
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [1, 4]), g.tensor("y", [1, 3])
    stored = g.const("stored", np.ones((3, 4), kind), quantization=scaled() if kind == BYTE else None)
    w = g.tensor("w", [3, 4])
    g.op("DEQUANTIZE", [stored], [w], tfl.DequantizeOptionsT(), 2 if kind == BYTE else 3)
    g.fc(x, w, y)
    g.io([x], [y])
    return pack(b)


def half_bias(half_weights):
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [1, 4]), g.tensor("y", [1, 3])
    w = g.dequantize("w", weights(3, 4)) if half_weights else g.const("w", weights(3, 4))
    g.fc(x, w, y, g.dequantize("b", weights(3)))
    g.io([x], [y])
    return pack(b)


def chain(order=(0, 1), also_output=False):
    """RELU, then TANH; the operators in this order."""
    b = Builder()
    g = b.graph("main")
    x, m, y = (g.tensor(n, [1, 4]) for n in "xmy")
    g.op("RELU", [x], [m])
    g.op("TANH", [m], [y])
    g.t.operators = [g.t.operators[i] for i in order]
    g.io([x], [m, y] if also_output else [y])
    return pack(b)


def short_constant(extra):
    b = op("ADD", [Input([4]), np.zeros(4 + extra, FLOAT)], [Input([4])], tfl.AddOptionsT())
    b.t.subgraphs[0].tensors[1].shape = ints(4)
    return pack(b)


def scales(count):
    return pack(op("DEQUANTIZE", [Input([4, 3], BYTE, scaled([0.1] * count))], [Input([4, 3])],
                   tfl.DequantizeOptionsT(), 2 if count == 1 else 5))


def concatenation(scale):
    q = scaled()
    return pack(op("CONCATENATION", [Input([2, 3], BYTE, q), Input([2, 3], BYTE, scaled(scale))],
                   [Input([4, 3], BYTE, q)], tfl.ConcatenationOptionsT(axis=0), 2))


def int8_conv(out_scale=0.1, bias=None, filter_scale=0.1):
    filter_ = np.ones((3, 1, 1, 2), BYTE)
    bias = np.zeros(3, INT) if bias is None else bias
    return conv(filter_, scaled([filter_scale] * 3), bias, BYTE, scaled(0.1), scaled(out_scale),
                scaled([0.1 * filter_scale] * 3))


def blockwise(block):
    """Rows of 32 in blocks; the scales are a tensor of FLOAT16."""
    b = fully_connected(np.ones((8, 32), BYTE))
    t = b.t.subgraphs[0]
    t.tensors.append(tfl.TensorT(name="scales", shape=ints(8, 32 // block), type=tfl.TensorType.FLOAT16,
                                 buffer=b.buffer(np.ones((8, 32 // block), np.float16))))
    t.tensors[1].type = tfl.TensorType.INT4
    t.tensors[1].buffer = b.buffer(np.ones((8, 16), np.uint8))
    t.tensors[1].quantization = tfl.QuantizationParametersT(
        detailsType=tfl.QuantizationDetails.BlockwiseQuantization,
        details=tfl.BlockwiseQuantizationT(scales=len(t.tensors) - 1, zeroPoints=-1, blockSize=block))
    return pack(b)


def int16_conv(bias_kind):
    return conv(np.ones((3, 1, 1, 2), BYTE), scaled([0.1] * 3), np.zeros(3, bias_kind), SHORT, scaled(0.1), scaled(0.1),
                scaled([0.01] * 3), bias_type=0)


def matmul(scale):
    return pack(op("BATCH_MATMUL", [Input([1, 2, 3], BYTE, scaled()), Const(np.ones((1, 3, 2), BYTE), scaled(scale, dim=2))],
                   [Input([1, 2, 2], BYTE, scaled())], tfl.BatchMatMulOptionsT(), 2))


def reshape(shape):
    return pack(op("RESHAPE", [Input([2, 3]), shape], [Input([3, 2])], tfl.ReshapeOptionsT()))


def first_run():
    """TILE by multiples that are an input, then an ADD that does not fit."""
    b = op("TILE", [Input([2, 3]), Input([2], INT)], [Input([2, 3])], tfl.TileOptionsT())
    t = b.t.subgraphs[0]
    for name, buffer in (("a", 0), ("b", b.buffer(np.zeros(3, FLOAT))), ("c", 0)):
        t.tensors.append(tfl.TensorT(name=name, shape=ints(3 if buffer else 4), type=0, buffer=buffer))
    t.operators.append(tfl.OperatorT(
        opcodeIndex=b.code("ADD"), inputs=ints(3, 4), outputs=ints(5),
        builtinOptionsType=tfl.BuiltinOptions.AddOptions, builtinOptions=tfl.AddOptionsT()))
    t.inputs, t.outputs = ints(0, 1, 3), ints(2, 5)
    return pack(b)


def spread(largest):
    w = np.ones((8, 4), FLOAT)
    w[3] = largest
    return pack(fully_connected(w))


def behind_relu6(bias, kind=FLOAT):
    """A layer whose input is from 0 to 6; its last channel has tiny weights. `kind`: of its bias, through DEQUANTIZE if half."""
    b = Builder()
    g = b.graph("main")
    x, m, y = g.tensor("x", [1, 4]), g.tensor("m", [1, 4]), g.tensor("y", [1, 3])
    w = np.ones((3, 4), FLOAT)
    w[2] = 1e-6
    g.op("RELU6", [x], [m])
    b_in = stored = g.const("b", np.array([1, 1, bias], kind))
    if kind != FLOAT:
        b_in = g.tensor("unpacked", [3])
        g.op("DEQUANTIZE", [stored], [b_in], tfl.DequantizeOptionsT(), 3)
    g.fc(m, g.const("w", w), y, b_in)
    g.io([x], [y])
    return pack(b)


def detector(gain, join="CONCATENATION", lost=False):
    """Boxes and scores of 8 anchors, joined at the end; the boxes are so many times as large. `lost`: a custom operator
    comes first."""
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [1, 16]), g.tensor("y", [1, 16] if join == "CONCATENATION" else [2, 1, 8])
    boxes, logits, scores = (g.tensor(n, [1, 8]) for n in ("boxes", "logits", "scores"))
    start = g.tensor("start", [1, 16]) if lost else x
    if lost:
        g.op("Unheard", [x], [start])
    g.fc(start, g.const("box_weights", gain * weights(8, 16) / 16), boxes)
    g.fc(start, g.const("score_weights", weights(8, 16, seed=1) / 16), logits)
    g.op("LOGISTIC", [logits], [scores])
    options = tfl.ConcatenationOptionsT(axis=1) if join == "CONCATENATION" else tfl.PackOptionsT(valuesCount=2, axis=0)
    g.op(join, [boxes, scores], [y], options)
    g.io([x], [y])
    return pack(b)


NAN = np.array([[1, np.nan], [1, 1]], FLOAT)
ZEROS = np.array([[1, 1], [0, 0]], FLOAT)

# rule: (target, a model that it finds, a model that it does not find, operator, tensor)
CASES = {
    "shapes": ("litert", lambda: broadcast_to([1, 256, 1, 1], [1, 32, 32, 256]),
               lambda: broadcast_to([1, 1, 1, 256], [1, 32, 32, 256]), "BROADCAST_TO", "y0"),
    "operator-version": ("litert", lambda: add(7), lambda: add(6), "ADD", ""),
    "custom-operator": ("litert", lambda: unary("Unheard"), lambda: unary("RELU"), "Unheard", ""),
    "constant-size": ("litert", lambda: short_constant(-1), lambda: short_constant(1), "", "c1"),
    "quantization-form": ("litert", lambda: scales(2), lambda: scales(4), "", "x0"),
    "operator-order": ("litert", lambda: chain((1, 0)), lambda: chain((0, 1)), "TANH", "m"),
    "broadcast-to": ("gpu", lambda: broadcast_to([1, 4, 1, 8], [1, 4, 2, 8]),
                     lambda: pack(op("TILE", [Input([1, 4, 1, 8]), ints(1, 1, 2, 1)], [Input([1, 4, 2, 8])], tfl.TileOptionsT())),
                     "BROADCAST_TO", "y0"),
    "late-shape": ("gpu", lambda: reshape(Input([2], INT)), lambda: reshape(ints(3, 2)), "RESHAPE", "y0"),
    "missing-scale": ("litert", lambda: add(2, BYTE), lambda: add(2, BYTE, quantization=scaled()), "ADD", "x0"),
    "scale-range": ("xnnpack", lambda: add(2, BYTE, quantization=scaled(1e-39)),
                    lambda: add(2, BYTE, quantization=scaled(2e-38)), "", "x0"),
    "same-scales": ("litert", lambda: concatenation(0.2), lambda: concatenation(0.1), "CONCATENATION", "x1"),
    "fixed-scales": ("litert", lambda: unary("LOGISTIC", BYTE, version=2, before=scaled(), behind=scaled(1 / 255, -128)),
                     lambda: unary("LOGISTIC", BYTE, version=2, before=scaled(), behind=scaled(1 / 256, -128)),
                     "LOGISTIC", "y0"),
    "rescale-range": ("xnnpack", lambda: int8_conv(0.01 / 300), lambda: int8_conv(0.01 / 200), "CONV_2D", "y0"),
    "hybrid-form": ("litert",
                    lambda: conv(np.ones((1, 1, 1, 2), BYTE), scaled(0.1), name="DEPTHWISE_CONV_2D"),
                    lambda: conv(np.ones((1, 1, 1, 2), BYTE), scaled([0.1, 0.1], dim=3), name="DEPTHWISE_CONV_2D"),
                    "DEPTHWISE_CONV_2D", "c1"),
    "blockwise-form": ("xnnpack", lambda: blockwise(16), lambda: blockwise(32), "FULLY_CONNECTED", "c1"),
    "channel-scales": ("litert", lambda: matmul([0.1, 0.1]), lambda: matmul(0.1), "BATCH_MATMUL", "c1"),
    "raw-integers": ("litert", lambda: unary("NEG", BYTE, before=scaled(), behind=scaled()),
                     lambda: unary("NEG", BYTE), "NEG", ""),
    "int16-form": ("litert", lambda: int16_conv(INT), lambda: int16_conv(np.int64), "CONV_2D", "c2"),
    "gpu-operator": ("gpu", lambda: pack(op("FILL", [ints(2, 2), np.float32(1)], [Input([2, 2])], tfl.FillOptionsT())),
                     lambda: add(), "FILL", ""),
    "gpu-tensor": ("gpu", lambda: unary("RELU", shape=(1, 1, 1, 1, 4)), lambda: unary("RELU", shape=(1, 1, 1, 4)),
                   "RELU", "y0"),
    "gpu-dynamic-range": ("gpu", lambda: residual(3), lambda: pack(fully_connected(weights(4, 4))), "FULLY_CONNECTED", "c1"),
    "gpu-dequantized-weights": ("gpu", lambda: through_dequantize(BYTE), lambda: through_dequantize(np.float16),
                                "FULLY_CONNECTED", "w"),
    "gpu-relu-0-to-1": ("gpu", lambda: unary("RELU_0_TO_1"), lambda: unary("RELU6"), "RELU_0_TO_1", ""),
    "gpu-output-read": ("gpu", lambda: chain(also_output=True), lambda: chain(), "RELU", "m"),
    "nnapi-operator": ("nnapi", lambda: unary("GELU", options=tfl.GeluOptionsT()), lambda: unary("RELU"), "GELU", ""),
    "xnnpack-operator": ("xnnpack", lambda: unary("SIGN"), lambda: unary("RELU"), "SIGN", ""),
    "xnnpack-half-bias": ("xnnpack", lambda: half_bias(False), lambda: half_bias(True), "FULLY_CONNECTED", "b"),
    "micro-operator": ("tflite-micro", lambda: pack(fully_connected(np.ones((4, 4), BYTE), scaled(), version=3)),
                       lambda: pack(fully_connected(weights(4, 4))), "FULLY_CONNECTED", "c1"),
    "int8-operator": ("int8-only", lambda: unary("SIN"), lambda: unary("TANH"), "SIN", ""),
    "npu-channel-scales": ("int8-only", lambda: int8_conv(), lambda: conv(
        np.ones((3, 1, 1, 2), BYTE), scaled(0.1), np.zeros(3, INT), BYTE, scaled(), scaled(), scaled(0.01)), "CONV_2D", "c1"),
    "not-finite": ("litert", lambda: pack(fully_connected(NAN)), lambda: pack(fully_connected(ZEROS)), "FULLY_CONNECTED", "c1"),
    "zero-channels": ("int8-only", lambda: pack(fully_connected(ZEROS)), lambda: pack(fully_connected(weights(2, 2))),
                      "FULLY_CONNECTED", "c1"),
    "channel-spread": ("int8-only", lambda: spread(200), lambda: spread(100), "FULLY_CONNECTED", "c1"),
    "bias-overflow": ("int8-only", lambda: behind_relu6(1), lambda: behind_relu6(1e-3), "FULLY_CONNECTED", "b"),
    "joined-ranges": ("int8-only", lambda: detector(200), lambda: detector(4), "CONCATENATION", "scores"),
}

# Other ways to the same rules. (rule, target, model, severity)
MORE = {
    "micro_operator_missing": ("micro-operator", "tflite-micro", lambda: unary("GELU", options=tfl.GeluOptionsT()), "error"),
    "micro_half": ("micro-operator", "tflite-micro", lambda: through_dequantize(np.float16), "error"),
    "micro_channels_behind_dequantize": ("micro-operator", "tflite-micro", lambda: pack(op(
        "DEQUANTIZE", [Const(np.ones((3, 4), BYTE), scaled([0.1] * 3))], [Input([3, 4])], tfl.DequantizeOptionsT(), 5)), "error"),
    "joined_by_pack": ("joined-ranges", "int8-only", lambda: detector(200, "PACK"), "warning"),
    "bias_overflow_half": ("bias-overflow", "int8-only", lambda: behind_relu6(1, np.float16), "warning"),
    "bias_overflow_int8": ("bias-overflow", "int8-only", lambda: int8_conv(bias=ints(0, 2**31 - 1, 0)), "warning"),
    "gpu_version_of_both": ("gpu-operator", "gpu", lambda: pack(
        op("DEQUANTIZE", [Const(np.ones((3, 4), BYTE), scaled([0.1] * 3))], [Input([3, 4])], tfl.DequantizeOptionsT(), 5)), "error"),
    "gpu_residual_of_rows": ("gpu-dynamic-range", "gpu", lambda: residual(2), "note"),
    "gpu_int16": ("gpu-tensor", "gpu", lambda: add(3, SHORT, quantization=scaled()), "error"),
    "gpu_open_shape": ("gpu-tensor", "gpu", lambda: unary("RELU", signature=ints(-1, 4)), "warning"),
    "conv_without_bias": ("shapes", "litert", lambda: conv(bias="none"), "error"),
    "broadcast_to_version_1": ("operator-version", "litert", lambda: broadcast_to([1], [2], 1), "error"),
    "softmax": ("fixed-scales", "litert", lambda: unary(
        "SOFTMAX", BYTE, options=tfl.SoftmaxOptionsT(beta=1), version=2, before=scaled(), behind=scaled(1 / 256, 0)), "error"),
    "max_pool": ("same-scales", "xnnpack", lambda: pack(op(
        "MAX_POOL_2D", [Input([1, 4, 4, 2], BYTE, scaled())], [Input([1, 2, 2, 2], BYTE, scaled(0.2))],
        tfl.Pool2DOptionsT(padding=1, strideH=2, strideW=2, filterHeight=2, filterWidth=2), 2)), "error"),
    "fully_connected_columns": ("hybrid-form", "litert", lambda: pack(
        fully_connected(np.ones((4, 4), BYTE), scaled([0.1] * 4, dim=1), version=12)), "error"),
    "depthwise_without_bias": ("hybrid-form", "litert", lambda: conv(
        np.ones((1, 1, 1, 2), BYTE), scaled([0.1, 0.1], dim=3), bias="none", name="DEPTHWISE_CONV_2D"), "error"),
    "int16_depthwise": ("int16-form", "litert", lambda: conv(
        np.ones((1, 1, 1, 2), BYTE), scaled([0.1, 0.1], dim=3), np.zeros(2, INT), SHORT, scaled(), scaled(),
        scaled([0.01] * 2), name="DEPTHWISE_CONV_2D"), "error"),
}

# One for each issue that rules cite. (rule, target, model, severity, part of the message)
ISSUES = {
    "LiteRT#9191": ("broadcast-to", "gpu", lambda: broadcast_to([1, 4, 1, 64], [1, 4, 8, 64]), "error", "TILE"),
    "LiteRT#6851": ("gpu-operator", "gpu", lambda: pack(
        op("FILL", [ints(1, 1, 8, 8), np.float32(-1e9)], [Input([1, 1, 8, 8])], tfl.FillOptionsT())),
        "error", "FILL: Operation is not supported"),
    "LiteRT#9277": ("gpu-dynamic-range", "gpu", lambda: residual(3), "error", "LiteRT#9277"),
    "LiteRT#9523": ("gpu-dequantized-weights", "gpu", lambda: through_dequantize(BYTE), "error", "LiteRT#9523"),
    "LiteRT#7603": ("npu-channel-scales", "int8-only", lambda: int8_conv(), "warning", "LiteRT#7603"),
    "LiteRT#2146": ("gpu-operator", "gpu", lambda: pack(fully_connected(np.ones((4, 4), BYTE), scaled([0.1] * 4), version=12)),
                    "warning", "Max version supported: 9. Requested version 12"),
    "LiteRT#8598": ("gpu-relu-0-to-1", "gpu", lambda: unary("RELU_0_TO_1"), "warning", "MINIMUM"),
    "tensorflow#46224": ("broadcast-to", "int8-only",
                         lambda: broadcast_to([1, 1, 1, 8], [1, 4, 4, 8], 3, BYTE, scaled()), "warning", "TILE"),
}
