# SPDX-License-Identifier: Apache-2.0
"""Small generated models, each with one property that real files have and tools tend to break.

MODELS: {name: function giving the bytes}; the functions' docstrings say what each is. REFUSED: the same for
files with something in them that this version of the schema does not name and that could not be kept."""

import io
import zipfile

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

import sparse
from graph_builder import Builder, weights

MODELS, REFUSED = {}, {}
K, N = 64, 16


def model(function):
    MODELS[function.__name__] = function
    return function


def refused(function):
    REFUSED[function.__name__] = function
    return function


def fc_graph(b, name="main", seed=0, bias=False):
    g = b.graph(name)
    x, y = g.tensor("x", [1, K]), g.tensor("y", [1, N])
    w = g.const("w", weights(N, K, seed=seed))
    g.fc(x, w, y, g.const("b", weights(N, seed=9)) if bias else -1)
    g.io([x], [y])
    return g


def fc_model(change=None):
    b = Builder()
    g = fc_graph(b)
    if change:
        change(b, g)
    return b.pack()


@model
def fully_connected_with_signature():
    """The plain case: weights, a bias, a signature, metadata."""
    b = Builder()
    b.signature("serve", fc_graph(b, bias=True))
    b.metadata("min_runtime_version", b"2.3.0".ljust(16, b"\0"))
    b.metadata("associated", b"any bytes \0\1\2")
    return b.pack()


def body(b, name, seed):
    return fc_graph(b, name, seed=seed)


@model
def if_branches_with_weights():
    """IF: each branch has weights of its own."""
    b = Builder()
    g = b.graph("main")
    c, x, y = g.tensor("c", [1], np.bool_), g.tensor("x_in", [1, K]), g.tensor("y_out", [1, N])
    g.op("IF", [c, x], [y], tfl.IfOptionsT(thenSubgraphIndex=1, elseSubgraphIndex=2))
    g.io([c, x], [y])
    body(b, "then", 1)
    body(b, "else", 2)
    return b.pack()


@model
def while_body_with_weights():
    """WHILE: the body multiplies by a weight matrix, the condition counts."""
    b = Builder()
    g = b.graph("main")
    ends = [g.tensor("i0", [1], np.int32), g.tensor("v0", [1, K]), g.tensor("i1", [1], np.int32), g.tensor("v1", [1, K])]
    g.op("WHILE", ends[:2], ends[2:], tfl.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2))
    g.io(ends[:2], ends[2:])
    g = b.graph("cond")
    i, v, r = g.tensor("ci", [1], np.int32), g.tensor("cv", [1, K]), g.tensor("go", [1], np.bool_)
    g.op("LESS", [i, g.const("limit", np.array([3], np.int32))], [r], tfl.LessOptionsT())
    g.io([i, v], [r])
    g = b.graph("body")
    i, v = g.tensor("bi", [1], np.int32), g.tensor("bv", [1, K])
    i2, v2 = g.tensor("bi2", [1], np.int32), g.tensor("bv2", [1, K])
    g.op("ADD", [i, g.const("one", np.array([1], np.int32))], [i2], tfl.AddOptionsT())
    g.fc(v, g.const("bw", weights(K, K) / 8), v2)
    g.io([i, v], [i2, v2])
    return b.pack()


@model
def composite_with_decomposition():
    """STABLEHLO_COMPOSITE: the runtime runs the decomposition, which has weights."""
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("x_in", [1, K]), g.tensor("y_out", [1, N])
    options = tfl.StableHLOCompositeOptionsT(name="my.block", decompositionSubgraphIndex=1, version=1)
    options.compositeAttributes = np.array([1, 2, 3], np.uint8)
    g.op(
        "STABLEHLO_COMPOSITE", [x], [y], builtinOptions2=options,
        builtinOptions2Type=tfl.BuiltinOptions2.StableHLOCompositeOptions,
    )
    g.io([x], [y])
    body(b, "decomposition", 3)
    return b.pack()


def custom(b, **more):
    g = b.graph("main")
    x, m, y = g.tensor("x", [1, K]), g.tensor("m", [1, N]), g.tensor("y", [1, N])
    g.fc(x, g.const("w", weights(N, K)), m)
    op = g.op("MyOperator", [m, g.const("cw", weights(N, N))], [y], **more)
    g.io([x], [y])
    return op


@model
def custom_operator_inline_options():
    """A custom operator with a weight and options in the flatbuffer."""
    b = Builder()
    custom(b, customOptions=np.arange(40, dtype=np.uint8))
    return b.pack()


@model
def custom_operator_large_options():
    """A custom operator whose options lie behind the flatbuffer."""
    b = Builder()
    op = custom(b)
    tail = bytes(range(200))

    def fill(start):
        op.largeCustomOptionsOffset, op.largeCustomOptionsSize = start, len(tail)

    return b.pack_behind(tail, fill)


@model
def variable_tensor():
    """A state that ASSIGN-like operators keep: SVDF with an is_variable tensor."""
    b = Builder()
    g = b.graph("main")
    rank, units, memory = 1, 8, 4
    x, y = g.tensor("x", [1, K]), g.tensor("y", [1, units])
    state = g.tensor("state", [1, memory * units * rank], isVariable=True)
    feature, time = g.const("feature", weights(units * rank, K)), g.const("time", weights(units * rank, memory, seed=1))
    g.op("SVDF", [x, feature, time, -1, state], [y], tfl.SVDFOptionsT(rank=rank))
    g.io([x], [y])
    return b.pack()


@model
def dynamic_shapes():
    """shape_signature with -1: the batch is open."""

    def change(b, g):
        for i, size in ((0, K), (1, N)):
            g.t.tensors[i].shapeSignature = np.array([-1, size], np.int32)

    return fc_model(change)


@model
def optional_bias_left_out():
    """Input -1 stands for a bias that is not there."""
    return fc_model()


@model
def buffer_shared_by_tensors():
    """Two tensors, one buffer, two operators."""
    b = Builder()
    g = b.graph("main")
    x, p, q = g.tensor("x", [1, K]), g.tensor("p", [1, N]), g.tensor("q", [1, N])
    first = g.const("w1", weights(N, K))
    second = g.tensor("w2", [N, K], buffer=g.t.tensors[first].buffer)
    g.fc(x, first, p)
    g.fc(x, second, q)
    g.io([x], [p, q])
    return b.pack()


@model
def buffer_shared_by_an_unused_tensor():
    """A tensor that nothing reads has the weights' buffer too."""
    return fc_model(lambda b, g: g.tensor("unused", [N, K], buffer=g.t.tensors[2].buffer))


@model
def weight_used_twice_the_same_way():
    """One tensor, two FULLY_CONNECTED."""
    b = Builder()
    g = b.graph("main")
    x, p, q, w = g.tensor("x", [1, K]), g.tensor("p", [1, K]), g.tensor("q", [1, K]), g.const("w", weights(K, K) / 8)
    g.fc(x, w, p)
    g.fc(p, w, q)
    g.io([x], [q])
    return b.pack()


@model
def weight_also_added():
    """The weights of a FULLY_CONNECTED are also an operand of ADD, which needs floats."""
    b = Builder()
    g = b.graph("main")
    x, y, z = g.tensor("x", [1, K]), g.tensor("y", [1, N]), g.tensor("z", [N, K])
    w, other = g.const("w", weights(N, K)), g.tensor("other", [N, K])
    g.fc(x, w, y)
    g.op("ADD", [other, w], [z], tfl.AddOptionsT())
    g.io([x, other], [y, z])
    return b.pack()


@model
def embedding_tied_to_output():
    """A table that EMBEDDING_LOOKUP and FULLY_CONNECTED share."""
    b = Builder()
    g = b.graph("main")
    ids, e, y = g.tensor("ids", [2], np.int32), g.tensor("e", [2, K]), g.tensor("y", [2, 32])
    table = g.const("table", weights(32, K))
    g.op("EMBEDDING_LOOKUP", [ids, table], [e])
    g.fc(e, table, y)
    g.io([ids], [y])
    return b.pack()


@model
def unnamed_tensors():
    """No tensor has a name."""

    def change(b, g):
        for t in g.t.tensors:
            t.name = None

    return fc_model(change)


@model
def duplicate_names():
    """Two different weights, two bodies: all of the same names."""
    b = Builder()
    g = b.graph("main")
    x, m, y = (g.tensor("same", [1, K]) for _ in range(3))
    g.fc(x, g.const("same", weights(K, K) / 8), m)
    g.fc(m, g.const("same", weights(K, K, seed=1) / 8), y)
    g.io([x], [y])
    return b.pack()


@model
def empty_data_vectors():
    """Activations have buffers of their own, with data vectors of length 0."""

    def change(b, g):
        for i in (0, 1):
            b.t.buffers.append(tfl.BufferT(data=np.zeros(0, np.uint8)))
            g.t.tensors[i].buffer = len(b.t.buffers) - 1

    return fc_model(change)


@model
def buffers_behind_the_flatbuffer():
    """Weights by offset and size."""
    b = Builder()
    fc_graph(b, bias=True)
    tail, places = b"", []
    for buffer in b.t.buffers[1:]:
        places.append((buffer, len(tail), len(buffer.data)))
        tail += buffer.data.tobytes() + bytes(-len(buffer.data) % 16)
        buffer.data = None

    def fill(start):
        for buffer, at, size in places:
            buffer.offset, buffer.size = start + at, size

    return b.pack_behind(tail, fill)


@model
def appended_zip():
    """Associated files in a ZIP behind the flatbuffer."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("labels.txt"), "cat\ndog\n")
    return fc_model() + out.getvalue()


@model
def deprecated_operator_codes():
    """As files before schema 3a: the operator is only in deprecated_builtin_code."""

    def change(b, g):
        for code in b.t.operatorCodes:
            code.builtinCode = 0

    return fc_model(change)


def sparse_weights(b, g, name, block, kind=np.float32):
    dense = weights(N, K) * (np.random.default_rng(5).random((N, K // 4)).repeat(4, 1) < 0.4)
    values, table = sparse.sparsify(dense.astype(kind), block)
    t = g.const(name, values, sparsity=table)
    g.t.tensors[t].shape = np.array([N, K], np.int32)
    return t


@model
def sparse_direct():
    """Sparse float32 weights that FULLY_CONNECTED reads as they are (1 x 4 blocks)."""
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [1, K]), g.tensor("y", [1, N])
    w = sparse_weights(b, g, "w", 4)
    g.op("FULLY_CONNECTED", [x, w, -1], [y], tfl.FullyConnectedOptionsT(), version=8)
    g.io([x], [y])
    return b.pack()


def densified(kind, block):
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [1, K]), g.tensor("y", [1, N])
    w = sparse_weights(b, g, "w_sparse", block, kind)
    dense = g.tensor("w_dense", [N, K], kind)
    g.op("DENSIFY", [w], [dense], tfl.DensifyOptionsT())
    if kind == np.float16:
        single = g.tensor("w", [N, K])
        g.op("DEQUANTIZE", [dense], [single], tfl.DequantizeOptionsT(), version=3)
        dense = single
    g.fc(x, dense, y)
    g.io([x], [y])
    return b.pack()


@model
def sparse_behind_densify():
    """Sparse float32 behind DENSIFY, element by element."""
    return densified(np.float32, None)


@model
def sparse_half_behind_densify():
    """Sparse float16 behind DENSIFY and DEQUANTIZE, in 1 x 4 blocks."""
    return densified(np.float16, 4)


@model
def half_behind_dequantize():
    """float16 weights and bias, each behind its DEQUANTIZE."""
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [1, K]), g.tensor("y", [1, N])
    g.fc(x, g.dequantize("w", weights(N, K)), y, g.dequantize("b", weights(N, seed=1)))
    g.io([x], [y])
    return b.pack()


@model
def half_used_by_two_dequantize():
    """One float16 constant, two DEQUANTIZE, two operators."""
    b = Builder()
    g = b.graph("main")
    x, p, q = g.tensor("x", [1, K]), g.tensor("p", [1, N]), g.tensor("q", [1, N])
    half = g.const("w_half", weights(N, K).astype(np.float16))
    for name, out in (("w1", p), ("w2", q)):
        single = g.tensor(name, [N, K])
        g.op("DEQUANTIZE", [half], [single], tfl.DequantizeOptionsT(), version=3)
        g.fc(x, single, out)
    g.io([x], [p, q])
    return b.pack()


def with_value(*values):
    def change(b, g):
        w = weights(N, K)
        w.reshape(-1)[: len(values)] = values
        b.t.buffers[g.t.tensors[2].buffer].data = np.frombuffer(w.tobytes(), np.uint8)

    return fc_model(change)


@model
def not_a_number_in_weights():
    """A NaN: no scale can stand for it."""
    return with_value(np.nan)


@model
def infinity_in_weights():
    return with_value(np.inf)


@model
def beyond_float16():
    """1e6 is infinity in float16."""
    return with_value(1e6)


@model
def zero_channel():
    """A channel of zeros, and one of denormals."""

    def change(b, g):
        w = weights(N, K)
        w[1], w[2] = 0, 1e-40
        b.t.buffers[g.t.tensors[2].buffer].data = np.frombuffer(w.tobytes(), np.uint8)

    return fc_model(change)


def conv(kind, w, bias, channels=8, **options):
    b = Builder()
    g = b.graph("main")
    x, weight = g.tensor("x", [1, 8, 8, channels]), g.const("w", w)
    features = w.shape[3] if kind == "DEPTHWISE_CONV_2D" else w.shape[0]
    y = g.tensor("y", [1, 8, 8, features])
    table = tfl.DepthwiseConv2DOptionsT if kind == "DEPTHWISE_CONV_2D" else tfl.Conv2DOptionsT
    inputs = [x, weight] + ([g.const("b", weights(features, seed=2))] if bias else [])
    g.op(kind, inputs, [y], table(strideW=1, strideH=1, **options))
    g.io([x], [y])
    return b.pack()


@model
def conv_without_bias():
    return conv("CONV_2D", weights(16, 3, 3, 8), bias=False)


@model
def conv_with_bias():
    return conv("CONV_2D", weights(16, 3, 3, 8), bias=True)


@model
def conv_grouped():
    """Two groups: the filter has half of the input's channels."""
    return conv("CONV_2D", weights(16, 3, 3, 4), bias=True)


@model
def conv_dilated():
    return conv("CONV_2D", weights(16, 3, 3, 8), bias=True, dilationHFactor=2, dilationWFactor=2)


@model
def depthwise_without_bias():
    return conv("DEPTHWISE_CONV_2D", weights(1, 5, 5, 8), bias=False, depthMultiplier=1)


@model
def depthwise_with_bias():
    return conv("DEPTHWISE_CONV_2D", weights(1, 5, 5, 8), bias=True, depthMultiplier=1)


@model
def transpose_conv():
    b = Builder()
    g = b.graph("main")
    shape, x = g.const("shape", np.array([1, 8, 8, 16], np.int32)), g.tensor("x", [1, 4, 4, 8])
    y = g.tensor("y", [1, 8, 8, 16])
    g.op(
        "TRANSPOSE_CONV", [shape, g.const("w", weights(16, 3, 3, 8)), x, g.const("b", weights(16, seed=2))], [y],
        tfl.TransposeConvOptionsT(strideW=2, strideH=2), version=3,
    )
    g.io([x], [y])
    return b.pack()


def batch_matmul(adj_y, left_constant=False):
    b = Builder()
    g = b.graph("main")
    y = g.tensor("y", [2, 4, 16])
    left, right = (2, 4, 32), (2, 16, 32) if adj_y else (2, 32, 16)
    if left_constant:
        x = g.tensor("x", right)
        inputs = [g.const("w", weights(*left)), x]
    else:
        x = g.tensor("x", left)
        inputs = [x, g.const("w", weights(*right))]
    g.op("BATCH_MATMUL", inputs, [y], tfl.BatchMatMulOptionsT(adjY=adj_y))
    g.io([x], [y])
    return b.pack()


@model
def batch_matmul_right_constant():
    return batch_matmul(False)


@model
def batch_matmul_right_constant_transposed():
    return batch_matmul(True)


@model
def batch_matmul_left_constant():
    """No kernel reads int8 on the left."""
    return batch_matmul(False, left_constant=True)


@model
def weight_is_an_output():
    """The weights are also an output of the graph."""

    def change(b, g):
        g.io([0], [1, 2])

    return fc_model(change)


@model
def constant_of_no_elements():
    """A constant with a dimension of 0, concatenated to another."""
    b = Builder()
    g = b.graph("main")
    x, m, y = g.tensor("x", [1, K]), g.tensor("m", [1, N]), g.tensor("y", [1, N])
    g.fc(x, g.const("w", weights(N, K)), m)
    nothing = g.const("nothing", np.zeros((1, 0), np.float32))
    g.op("CONCATENATION", [m, nothing], [y], tfl.ConcatenationOptionsT(axis=1))
    g.io([x], [y])
    return b.pack()


@model
def scalar_constant():
    """A constant of rank 0."""
    b = Builder()
    g = b.graph("main")
    x, m, y = g.tensor("x", [1, K]), g.tensor("m", [1, N]), g.tensor("y", [1, N])
    g.fc(x, g.const("w", weights(N, K)), m)
    g.op("MUL", [m, g.const("scalar", np.array(0.5, np.float32))], [y], tfl.MulOptionsT())
    g.io([x], [y])
    return b.pack()


@model
def unused_and_equal_operator_codes():
    """An operator code that nothing uses, and two equal ones."""

    def change(b, g):
        b.code("SOFTMAX")
        b.t.operatorCodes.append(tfl.OperatorCodeT(deprecatedBuiltinCode=9, builtinCode=9, version=1))

    return fc_model(change)


@model
def already_quantized():
    """int8 weights: nothing to do."""
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [1, K]), g.tensor("y", [1, N])
    q = np.random.default_rng(3).integers(-127, 128, (N, K)).astype(np.int8)
    quantization = tfl.QuantizationParametersT(
        scale=np.full(N, 0.02, np.float32), zeroPoint=np.zeros(N, np.int64), quantizedDimension=0
    )
    w = g.const("w", q, quantization=quantization)
    g.op("FULLY_CONNECTED", [x, w, -1], [y], tfl.FullyConnectedOptionsT(), version=12)
    g.io([x], [y])
    return b.pack()


@model
def unknown_enum_values():
    """Values that no schema names: an activation and a padding. Kept; the runtime's business."""

    def change(b, g):
        g.t.operators[0].builtinOptions.fusedActivationFunction = 77

    return fc_model(change)


@model
def unknown_operator():
    """A builtin operator from the future, beside one that is known."""
    b = Builder()
    g = fc_graph(b)
    y = g.tensor("z", [1, N])
    b.t.operatorCodes.append(tfl.OperatorCodeT(deprecatedBuiltinCode=127, builtinCode=9999, version=1))
    g.t.operators.append(
        tfl.OperatorT(opcodeIndex=1, inputs=np.array([1], np.int32), outputs=np.array([y], np.int32))
    )
    g.io([0], [y])
    return b.pack()


@model
def long_name_and_text():
    """Names and a description that are not ASCII, and a name of 5000 bytes."""

    def change(b, g):
        g.t.tensors[2].name = "w/" + "ä" * 2500
        g.t.tensors[1].name = b"\xff\xfe not UTF-8"
        b.t.description = "描述"

    return fc_model(change)


@refused
def unknown_kind_of_options():
    """An options table of a kind that the schema does not name: its fields are not known."""
    raw = bytearray(fc_model())
    op = tfl.Model.GetRootAs(raw, 0).Subgraphs(0).Operators(0)
    raw[op._tab.Pos + op._tab.Offset(10)] = 250  # builtin_options_type
    return bytes(raw)


class _Future:
    """A table with one more field than the schema has."""

    def __init__(self, slot):
        self.slot = slot

    def Pack(self, builder):
        builder.StartObject(self.slot + 1)
        builder.PrependUint32Slot(self.slot, 77, 0)
        return builder.EndObject()


@refused
def unknown_field_of_buffer():
    return fc_model(lambda b, g: b.t.buffers.append(_Future(9)))


@refused
def unknown_field_of_metadata():
    def change(b, g):
        b.t.metadata = [_Future(6)]

    return fc_model(change)


@refused
def unknown_field_of_options():
    def change(b, g):
        options = tfl.FullyConnectedOptionsT()
        options.Pack = _Future(20).Pack
        g.t.operators[0].builtinOptions = options

    return fc_model(change)


@refused
def unknown_field_of_tensor():
    def change(b, g):
        g.tensor("future", [1])
        g.t.tensors[-1] = _Future(25)

    return fc_model(change)
