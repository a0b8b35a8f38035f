# SPDX-License-Identifier: Apache-2.0
"""Generated models for each rewrite, in both directions.

APPLIES: (rewrite, name, function giving the bytes, operators afterwards); STAYS: (rewrite, name, function)."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

from graph_builder import Builder, weights

APPLIES, STAYS = [], []


def applies(rewrite, *after):
    """The rewrite leaves these operators."""

    def add(function):
        APPLIES.append((rewrite, function.__name__, function, list(after)))
        return function

    return add


def stays(rewrite):
    def add(function):
        STAYS.append((rewrite, function.__name__, function))
        return function

    return add


class Model(Builder):
    """One graph whose ends are given at last."""

    def __init__(self):
        super().__init__()
        self.g = self.graph("main")
        self.tensor, self.op = self.g.tensor, self.g.op

    def const(self, name, values, **more):
        """Also of rank 0."""
        values = np.asarray(values)
        return self.tensor(name, values.shape, values.dtype, self.buffer(values), **more)

    def ints(self, name, *values, kind=np.int32):
        return self.const(name, np.array(values, kind))

    def done(self, inputs, outputs):
        self.g.io(inputs, outputs)
        self.signature("serve", self.g)
        self.metadata("note", b"any bytes")
        return self.pack()


def per_tensor(scale, zero):
    return tfl.QuantizationParametersT(scale=np.array([scale], np.float32), zeroPoint=np.array([zero], np.int64))


KINDS = {"f32": np.float32, "i32": np.int32, "i64": np.int64, "bool": np.bool_, "i8": np.int8, "u8": np.uint8}


def quantization(kind, scale=0.05):
    return {"quantization": per_tensor(scale, 3)} if kind in (np.int8, np.uint8) else {}


def broadcast(m, x, shape, kind=np.float32, name="wide", width=np.int32):
    wide = m.tensor(name, shape, kind, **quantization(kind))
    m.op("BROADCAST_TO", [x, m.ints(name + "_to", *shape, kind=width)], [wide], tfl.BroadcastToOptionsT(), version=3 if kind == np.int8 else 2)
    return wide


# ---- BROADCAST_TO that its readers do without ----

OPTIONS = {
    "ADD": tfl.AddOptionsT, "SUB": tfl.SubOptionsT, "MUL": tfl.MulOptionsT, "DIV": tfl.DivOptionsT,
    "MAXIMUM": tfl.MaximumMinimumOptionsT, "MINIMUM": tfl.MaximumMinimumOptionsT, "POW": tfl.PowOptionsT,
    "FLOOR_DIV": tfl.FloorDivOptionsT, "FLOOR_MOD": tfl.FloorModOptionsT,
    "SQUARED_DIFFERENCE": tfl.SquaredDifferenceOptionsT, "EQUAL": tfl.EqualOptionsT,
    "NOT_EQUAL": tfl.NotEqualOptionsT, "LESS": tfl.LessOptionsT, "LESS_EQUAL": tfl.LessEqualOptionsT,
    "GREATER": tfl.GreaterOptionsT, "GREATER_EQUAL": tfl.GreaterEqualOptionsT,
    "LOGICAL_AND": tfl.LogicalAndOptionsT, "LOGICAL_OR": tfl.LogicalOrOptionsT,
}
COMPARE = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")
BROADCASTERS = [
    (op, kind)
    for kind, ops in {
        "f32": [n for n in OPTIONS if not n.startswith("LOGICAL")],
        "i32": [n for n in OPTIONS if not n.startswith("LOGICAL")],
        "i64": ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "FLOOR_MOD") + COMPARE,
        "i8": ("ADD", "SUB", "MUL"),
        "u8": ("ADD", "SUB", "MUL"),
        "bool": ("LOGICAL_AND", "LOGICAL_OR"),
    }.items()
    for op in ops
]


def elementwise(op, kind, small=(1, 1, 1, 6), large=(1, 4, 5, 6), first=False, version=None):
    """x is broadcast, then combined with y. Divisors are constants without zero."""
    m, kind = Model(), KINDS[kind]
    divides = op in ("DIV", "FLOOR_DIV", "FLOOR_MOD", "POW") and not first
    x = m.const("x", (np.arange(6) % 3 + 1).astype(kind).reshape(small)) if divides else m.tensor("x", small, kind, **quantization(kind))
    y = m.tensor("y", large, kind, **quantization(kind, 0.1))
    out = m.tensor("out", large, np.bool_ if op in COMPARE else kind, **quantization(kind, 0.2))
    wide = broadcast(m, x, large, kind)
    options = OPTIONS[op]()
    if op in ("ADD", "SUB"):
        options.potScaleInt16 = False
    quantized = kind in (np.int8, np.uint8)
    m.op(op, [wide, y] if first else [y, wide], [out], options, version=version or (2 if quantized and kind == np.int8 else 4 if kind == np.int64 and op in ("ADD", "SUB") else 5 if kind == np.int64 and op == "MUL" else 2 if op.startswith("FLOOR_DIV") else 1))
    return m.done([y] if divides else [x, y], [out])


for _op, _kind in BROADCASTERS:
    APPLIES.append(("broadcast-to-drop", f"{_op}_{_kind}", lambda op=_op, kind=_kind: elementwise(op, kind), [_op]))
for _op in ("SUB", "LESS"):
    APPLIES.append(("broadcast-to-drop", f"{_op}_first", lambda op=_op: elementwise(op, "f32", first=True), [_op]))


@applies("broadcast-to-drop", "RESHAPE", "ADD")
def rank_grows():
    return elementwise("ADD", "f32", small=(6,))


@applies("broadcast-to-drop", "MUL")
def constant_of_lower_rank():
    m = Model()
    y, out = m.tensor("y", (1, 4, 5, 6)), m.tensor("out", (1, 4, 5, 6))
    wide = broadcast(m, m.const("c", weights(6)), (1, 4, 5, 6))
    m.op("MUL", [y, wide], [out], tfl.MulOptionsT())
    return m.done([y], [out])


@applies("broadcast-to-drop", "SELECT_V2")
def select_v2():
    m = Model()
    c, x, y = m.tensor("c", (1, 4, 1, 1), np.bool_), m.tensor("x", (1, 1, 5, 6)), m.tensor("y", (1, 4, 5, 6))
    out = m.tensor("out", (1, 4, 5, 6))
    m.op("SELECT_V2", [c, broadcast(m, x, (1, 4, 5, 6)), y], [out], tfl.SelectV2OptionsT())
    return m.done([c, x, y], [out])


@applies("broadcast-to-drop", "ADD", "MUL")
def two_readers_and_int64_target():
    m = Model()
    x, y = m.tensor("x", (2, 1, 6)), m.tensor("y", (2, 5, 6))
    wide = broadcast(m, x, (2, 5, 6), width=np.int64)
    p, q = m.tensor("p", (2, 5, 6)), m.tensor("q", (2, 5, 6))
    m.op("ADD", [wide, y], [p], tfl.AddOptionsT(fusedActivationFunction=1))
    m.op("MUL", [y, wide], [q], tfl.MulOptionsT())
    return m.done([x, y], [p, q])


@applies("broadcast-to-drop", "BROADCAST_TO", "ADD")
def only_one_of_two_can_go():
    """Without either nothing makes the full shape: the second stays."""
    m = Model()
    x, y, out = m.tensor("x", (1, 6)), m.tensor("y", (1, 6)), m.tensor("out", (5, 6))
    m.op("ADD", [broadcast(m, x, (5, 6), name="p"), broadcast(m, y, (5, 6), name="q")], [out], tfl.AddOptionsT())
    return m.done([x, y], [out])


@stays("broadcast-to-drop")
def read_twice_by_one():
    m = Model()
    x, out = m.tensor("x", (1, 6)), m.tensor("out", (5, 6))
    wide = broadcast(m, x, (5, 6))
    m.op("ADD", [wide, wide], [out], tfl.AddOptionsT())
    return m.done([x], [out])


@stays("broadcast-to-drop")
def is_an_output_too():
    m = Model()
    x, y, out = m.tensor("x", (1, 6)), m.tensor("y", (5, 6)), m.tensor("out", (5, 6))
    wide = broadcast(m, x, (5, 6))
    m.op("ADD", [wide, y], [out], tfl.AddOptionsT())
    return m.done([x, y], [out, wide])


@stays("broadcast-to-drop")
def rank_5():
    return elementwise("ADD", "f32", small=(1, 1, 1, 1, 6), large=(2, 1, 4, 5, 6))


@stays("broadcast-to-drop")
def one_reader_does_not_broadcast():
    m = Model()
    x, y = m.tensor("x", (1, 6)), m.tensor("y", (5, 6))
    p, q = m.tensor("p", (5, 6)), m.tensor("q", (5, 12))
    wide = broadcast(m, x, (5, 6))
    m.op("ADD", [wide, y], [p], tfl.AddOptionsT())
    m.op("CONCATENATION", [wide, y], [q], tfl.ConcatenationOptionsT(axis=1))
    return m.done([x, y], [p, q])


@stays("broadcast-to-drop")
def input_of_open_shape():
    m = Model()
    x = m.tensor("x", (1, 6), shapeSignature=np.array([-1, 6], np.int32))
    y, out = m.tensor("y", (5, 6)), m.tensor("out", (5, 6))
    m.op("ADD", [broadcast(m, x, (5, 6)), y], [out], tfl.AddOptionsT())
    return m.done([x, y], [out])


@stays("broadcast-to-drop")
def reader_is_custom():
    m = Model()
    x, out = m.tensor("x", (1, 6)), m.tensor("out", (5, 6))
    m.op("Mine", [broadcast(m, x, (5, 6))], [out])
    return m.done([x], [out])


# ---- folded, tiled, multiplied ----


def concatenated(x, small, large, kind, inputs, m, **more):
    y = m.tensor("y", large, kind, **quantization(kind))
    joined = list(large[:-1]) + [2 * large[-1]]
    out = m.tensor("out", joined, kind, **quantization(kind))
    wide = broadcast(m, x, large, kind, **more)
    m.op("CONCATENATION", [wide, y], [out], tfl.ConcatenationOptionsT(axis=len(large) - 1), version=2 if kind == np.int8 else 1)
    return m.done(inputs + [y], [out])


def joined_constant(values, large):
    m, values = Model(), np.asarray(values)
    c = m.const("c", values, **quantization(values.dtype.type))
    return concatenated(c, values.shape, large, values.dtype.type, [], m)


@applies("broadcast-to-fold", "CONCATENATION")
def constant_in_the_middle():
    return joined_constant(weights(2, 1, 3), (2, 4, 3))


@applies("broadcast-to-fold", "CONCATENATION")
def scalar_constant():
    return joined_constant(np.float32(2.5), (2, 3))


@applies("broadcast-to-fold", "CONCATENATION")
def constant_of_int8():
    return joined_constant(np.arange(-3, 3, dtype=np.int8).reshape(1, 6), (4, 6))


@applies("broadcast-to-fold", "CONCATENATION")
def constant_of_int64():
    return joined_constant(np.arange(6, dtype=np.int64).reshape(6, 1), (6, 5))


@stays("broadcast-to-fold")
def constant_that_would_grow():
    return joined_constant(weights(1, 1, 64), (8, 8, 64))


@stays("broadcast-to-fold")
def constant_that_goes_out():
    m = Model()
    x, y = m.tensor("x", (2, 3)), m.tensor("y", (2, 3))
    m.op("RELU", [x], [y])
    wide = broadcast(m, m.const("c", weights(1, 3)), (2, 3))
    return m.done([x], [y, wide])


def joined(kind, small=(1, 1, 6), large=(1, 4, 6), **more):
    m, kind = Model(), KINDS[kind]
    x = m.tensor("x", small, kind, **quantization(kind))
    return concatenated(x, small, large, kind, [x], m, **more)


for _kind in KINDS:
    if _kind != "bool":
        APPLIES.append(("broadcast-to-tile", f"tile_{_kind}", lambda kind=_kind: joined(kind), ["TILE", "CONCATENATION"]))
    if _kind in ("f32", "i32", "i8", "u8"):
        APPLIES.append(("broadcast-to-mul", f"mul_{_kind}", lambda kind=_kind: joined(kind), ["MUL", "CONCATENATION"]))


@applies("broadcast-to-tile", "TILE")
def tile_of_bool_that_goes_out():
    m = Model()
    x = m.tensor("x", (1, 6), np.bool_)
    return m.done([x], [broadcast(m, x, (4, 6), np.bool_)])


@applies("broadcast-to-tile", "RESHAPE", "TILE", "CONCATENATION")
def tile_where_the_rank_grows():
    return joined("f32", small=(4, 1), large=(3, 4, 6))


@applies("broadcast-to-tile", "TILE", "CONCATENATION")
def tile_of_a_constant_of_lower_rank():
    return joined_constant(weights(1, 64), (8, 8, 64))


@applies("broadcast-to-tile", "TILE", "CONCATENATION")
def tile_of_rank_6():
    return joined("f32", small=(1, 2, 1, 1, 1, 3), large=(2, 2, 1, 2, 2, 3))


@applies("broadcast-to-mul", "MUL", "CONCATENATION")
def mul_where_the_rank_grows():
    return joined("f32", small=(4, 1), large=(3, 4, 6))


@stays("broadcast-to-mul")
def mul_of_int64():
    return joined("i64")


@stays("broadcast-to-mul")
def mul_of_rank_6():
    return joined("f32", small=(1, 2, 1, 1, 1, 3), large=(2, 2, 1, 2, 2, 3))


@stays("broadcast-to-tile")
def target_is_computed():
    m = Model()
    x, s, out = m.tensor("x", (1, 6)), m.tensor("s", (2,), np.int32), m.tensor("out", (4, 6))
    m.op("BROADCAST_TO", [x, s], [out], tfl.BroadcastToOptionsT(), version=2)
    return m.done([x, s], [out])


@stays("broadcast-to-tile")
def target_does_not_fit():
    return mismatched((1, 3, 1, 1), (1, 8, 8, 6))


# ---- layouts ----


def mismatched(small, large):
    m = Model()
    x, y, out = m.tensor("x", small), m.tensor("y", large), m.tensor("out", large)
    m.op("ADD", [y, broadcast(m, x, large)], [out], tfl.AddOptionsT())
    return m.done([x, y], [out])


# The expected outputs are those of `y + x` in the target's layout: (shape of x, target, order of x's dimensions).
LAYOUTS = {
    "channels": ((1, 256, 1, 1), (1, 32, 32, 256), (0, 2, 3, 1), ["RESHAPE", "BROADCAST_TO", "ADD"]),
    "channels_first": ((1, 1, 1, 6), (1, 6, 4, 5), (0, 3, 1, 2), ["RESHAPE", "BROADCAST_TO", "ADD"]),
    "image": ((1, 6, 4, 1), (1, 4, 5, 6), (0, 2, 3, 1), ["TRANSPOSE", "BROADCAST_TO", "ADD"]),
    "image_first": ((2, 4, 1, 6), (2, 6, 4, 5), (0, 3, 1, 2), ["TRANSPOSE", "BROADCAST_TO", "ADD"]),
}


@stays("broadcast-layout")
def fits_as_it_is():
    return mismatched((1, 1, 1, 6), (1, 4, 5, 6))


@stays("broadcast-layout")
def could_go_to_two_places():
    return mismatched((1, 6, 1, 1), (1, 5, 6, 6))


@stays("broadcast-layout")
def fits_nowhere():
    return mismatched((1, 7, 1, 1), (1, 5, 6, 8))


@stays("broadcast-layout")
def two_dimensions_of_one_size():
    return mismatched((1, 6, 4, 4), (1, 4, 4, 6))


# ---- identities ----


def identity(op, shape=(1, 4, 6), kind=np.float32, more=(), options=None, version=1, first=0, out_shape=None, end=False):
    """RELU, the operator, RELU; `end`: it makes the output of the graph."""
    m = Model()
    x, a = m.tensor("x", shape, kind), m.tensor("a", shape, kind)
    b, y = m.tensor("b", out_shape or shape, kind), m.tensor("y", out_shape or shape, kind)
    inputs = [m.const(f"c{i}", np.asarray(v)) for i, v in enumerate(more)]
    inputs.insert(first, a)
    m.op("ABS", [x], [a])
    m.op(op, inputs, [b], options, version=version)
    if not end:
        m.op("ABS", [b], [y])
    return m.done([x], [b if end else y])


def ints(*values):
    return np.array(values, np.int32)


IDENTITIES = {
    "RESHAPE": dict(more=[ints(1, 4, 6)], options=tfl.ReshapeOptionsT(newShape=ints(1, 4, 6))),
    "SQUEEZE": dict(options=tfl.SqueezeOptionsT(), shape=(2, 4, 6)),
    "TRANSPOSE": dict(more=[ints(0, 1, 2)], options=tfl.TransposeOptionsT()),
    "CAST": dict(options=tfl.CastOptionsT()),
    "TILE": dict(more=[ints(1, 1, 1)], options=tfl.TileOptionsT()),
    "PAD": dict(more=[np.zeros((3, 2), np.int32)], options=tfl.PadOptionsT()),
    "PADV2": dict(more=[np.zeros((3, 2), np.int32), np.float32(3)], options=tfl.PadV2OptionsT()),
    "MIRROR_PAD": dict(more=[np.zeros((3, 2), np.int32)], options=tfl.MirrorPadOptionsT()),
    "SLICE": dict(more=[ints(0, 0, 0), ints(1, -1, 6)], options=tfl.SliceOptionsT()),
    "STRIDED_SLICE": dict(more=[ints(0, 7, 0), ints(1, 4, 0), ints(1, 1, 1)], options=tfl.StridedSliceOptionsT(beginMask=2, endMask=4)),
    "CONCATENATION": dict(options=tfl.ConcatenationOptionsT(axis=1)),
    "SPLIT": dict(more=[np.int32(1)], first=1, options=tfl.SplitOptionsT(numSplits=1)),
    "SPLIT_V": dict(more=[ints(4), np.int32(1)], options=tfl.SplitVOptionsT(numSplits=1)),
    "BROADCAST_TO": dict(more=[ints(1, 4, 6)], options=tfl.BroadcastToOptionsT(), version=2),
}
DIFFERENT = {
    "RESHAPE": dict(more=[ints(4, 6)], options=tfl.ReshapeOptionsT(newShape=ints(4, 6)), out_shape=(4, 6)),
    "SQUEEZE": dict(options=tfl.SqueezeOptionsT(squeezeDims=ints(0)), out_shape=(4, 6)),
    "TRANSPOSE": dict(shape=(1, 5, 5), more=[ints(0, 2, 1)], options=tfl.TransposeOptionsT()),
    "TILE": dict(more=[ints(1, 2, 1)], options=tfl.TileOptionsT(), out_shape=(1, 8, 6)),
    "PAD": dict(more=[ints(0, 0, 0, 1, 0, 0).reshape(3, 2)], options=tfl.PadOptionsT(), out_shape=(1, 5, 6)),
    "SLICE": dict(more=[ints(0, 0, 1), ints(1, 4, 5)], options=tfl.SliceOptionsT(), out_shape=(1, 4, 5)),
    "STRIDED_SLICE": dict(more=[ints(0, 0, 0), ints(1, 4, 6), ints(1, 1, -1)], options=tfl.StridedSliceOptionsT(beginMask=7, endMask=7)),
    "CONCATENATION": dict(options=tfl.ConcatenationOptionsT(axis=1, fusedActivationFunction=1)),
}
for _op, _case in IDENTITIES.items():
    APPLIES.append(("drop-identity", _op, lambda op=_op, case=_case: identity(op, **case), ["ABS", "ABS"]))
    APPLIES.append(("drop-identity", _op + "_at_the_end", lambda op=_op, case=_case: identity(op, **case, end=True), ["ABS"]))
for _op, _case in DIFFERENT.items():
    STAYS.append(("drop-identity", _op, lambda op=_op, case=_case: identity(op, **case)))


@stays("drop-identity")
def between_the_ends():
    """From an input of the graph to an output: both names stay, so the operator must."""
    m = Model()
    x, y = m.tensor("x", (2, 3)), m.tensor("y", (2, 3))
    m.op("RESHAPE", [x, m.ints("s", 2, 3)], [y], tfl.ReshapeOptionsT(newShape=ints(2, 3)))
    return m.done([x], [y])


@stays("drop-identity")
def read_by_a_custom_operator():
    m = Model()
    x, a, b, y = (m.tensor(n, (2, 3)) for n in "xaby")
    m.op("ABS", [x], [a])
    m.op("RESHAPE", [a, m.ints("s", 2, 3)], [b], tfl.ReshapeOptionsT(newShape=ints(2, 3)))
    m.op("Mine", [b], [y])
    return m.done([x], [y])


@stays("drop-identity")
def weights_behind_it():
    """Constant weights would be XNNPACK's, and summed in another order."""
    m = Model()
    x, w, y = m.tensor("x", (1, 64)), m.tensor("w", (16, 64)), m.tensor("y", (1, 16))
    m.op("RESHAPE", [m.const("c", weights(16, 64)), m.ints("s", 16, 64)], [w], tfl.ReshapeOptionsT(newShape=ints(16, 64)))
    m.g.fc(x, w, y)
    return m.done([x], [y])


@stays("broadcast-to-fold")
def bias_that_is_broadcast():
    m = Model()
    x, y = m.tensor("x", (1, 64)), m.tensor("y", (1, 16))
    bias = broadcast(m, m.const("c", weights(1)), (16,))
    m.g.fc(x, m.const("w", weights(16, 64)), y, bias)
    return m.done([x], [y])


@stays("drop-identity")
def output_of_what_others_read():
    """The result of ABS is read by two: it can't become the output `y` and stay what it is on a GPU."""
    m = Model()
    x, a, y, z = (m.tensor(n, (2, 3)) for n in "xayz")
    m.op("ABS", [x], [a])
    m.op("RESHAPE", [a, m.ints("s", 2, 3)], [y], tfl.ReshapeOptionsT(newShape=ints(2, 3)))
    m.op("RELU", [a], [z])
    return m.done([x], [y, z])


@stays("drop-identity")
def other_scales():
    """The same bytes under another scale are other numbers."""
    m = Model()
    x, a, b, y = (m.tensor(n, (2, 3), np.int8, quantization=per_tensor(s, 0)) for n, s in zip("xaby", (0.1, 0.1, 0.2, 0.2)))
    m.op("ABS", [x], [a])
    m.op("RESHAPE", [a, m.ints("s", 2, 3)], [b], tfl.ReshapeOptionsT(newShape=ints(2, 3)))
    m.op("ABS", [b], [y])
    return m.done([x], [y])


@applies("drop-identity", "ABS", "ABS")
def chain_of_identities():
    m = Model()
    x, y = m.tensor("x", (2, 3)), m.tensor("y", (2, 3))
    at = m.tensor("a", (2, 3))
    m.op("ABS", [x], [at])
    for i in range(20):
        to = m.tensor(f"t{i}", (2, 3))
        m.op("RESHAPE", [at, m.ints(f"s{i}", 2, 3)], [to], tfl.ReshapeOptionsT(newShape=ints(2, 3)))
        at = to
    m.op("ABS", [at], [y])
    return m.done([x], [y])


@applies("drop-identity", "QUANTIZE", "ABS", "DEQUANTIZE")
def quantize_to_the_same():
    return requantized(0.1, 3)


@stays("drop-identity")
def quantize_to_another_scale():
    return requantized(0.2, 3)


def requantized(scale, zero):
    m = Model()
    x, y = m.tensor("x", (2, 32)), m.tensor("y", (2, 32))
    a, b, c = (m.tensor(n, (2, 32), np.int8, quantization=per_tensor(s, z)) for n, s, z in (("a", 0.1, 3), ("b", scale, zero), ("c", scale, zero)))
    m.op("QUANTIZE", [x], [a], tfl.QuantizeOptionsT())
    m.op("QUANTIZE", [a], [b], tfl.QuantizeOptionsT(), version=2)
    m.op("ABS", [b], [c], tfl.AbsOptionsT(), version=2)
    m.op("DEQUANTIZE", [c], [y], tfl.DequantizeOptionsT(), version=2)
    return m.done([x], [y])


# ---- QUANTIZE behind DEQUANTIZE ----


def back_and_forth(kind, scale=0.0173, zero=-5, second=None, extra=False):
    m = Model()
    q = lambda s, z: per_tensor(s, z)
    x = m.tensor("x", (4, 64), kind, quantization=q(scale, zero))
    f, y = m.tensor("f", (4, 64)), m.tensor("y", (8, 32), kind, quantization=q(*(second or (scale, zero))))
    back = m.tensor("back", (4, 64), kind, quantization=q(*(second or (scale, zero))))
    m.op("DEQUANTIZE", [x], [f], tfl.DequantizeOptionsT(), version=2 if kind != np.int16 else 3)
    m.op("QUANTIZE", [f], [back], tfl.QuantizeOptionsT(), version=1)
    m.op("RESHAPE", [back, m.ints("s", 8, 32)], [y], tfl.ReshapeOptionsT(newShape=ints(8, 32)))
    return m.done([x], [y, f] if extra else [y])


for _kind, _zero in ((np.int8, -5), (np.uint8, 131), (np.int16, 0)):
    APPLIES.append(("cancel-quantize", np.dtype(_kind).name, lambda kind=_kind, zero=_zero: back_and_forth(kind, zero=zero), ["RESHAPE"]))


@applies("cancel-quantize", "DEQUANTIZE", "RESHAPE")
def float_goes_out_too():
    return back_and_forth(np.int8, extra=True)


@stays("cancel-quantize")
def to_another_zero_point():
    return back_and_forth(np.int8, second=(0.0173, -4))


@stays("cancel-quantize")
def to_another_scale():
    return back_and_forth(np.int8, second=(0.0174, -5))


@stays("cancel-quantize")
def quantize_then_dequantize():
    """It rounds: values change."""
    m = Model()
    x, y = m.tensor("x", (4, 64)), m.tensor("y", (4, 64))
    a, q, b = m.tensor("a", (4, 64)), m.tensor("q", (4, 64), np.int8, quantization=per_tensor(0.02, 1)), m.tensor("b", (4, 64))
    m.op("ABS", [x], [a])
    m.op("QUANTIZE", [a], [q], tfl.QuantizeOptionsT())
    m.op("DEQUANTIZE", [q], [b], tfl.DequantizeOptionsT(), version=2)
    m.op("ABS", [b], [y])
    return m.done([x], [y])


# ---- what is known beforehand ----


def shape_chain(open_batch=False, kind=np.int32):
    """Flattens all but the first dimension, as converters write it: SHAPE, STRIDED_SLICE, PACK, RESHAPE."""
    m = Model()
    more = dict(shapeSignature=np.array([-1, 4, 6], np.int32)) if open_batch else {}
    x, a, y = m.tensor("x", (2, 4, 6), **more), m.tensor("a", (2, 4, 6), **more), m.tensor("y", (2, 24))
    s, n, p = m.tensor("s", (3,), kind), m.tensor("n", (), kind), m.tensor("p", (2,), kind)
    m.op("ABS", [x], [a])
    m.op("SHAPE", [a], [s], tfl.ShapeOptionsT(outType=2 if kind == np.int32 else 4))
    m.op("STRIDED_SLICE", [s, m.ints("b", 0), m.ints("e", 1), m.ints("st", 1)], [n], tfl.StridedSliceOptionsT(shrinkAxisMask=1))
    m.op("PACK", [n, m.const("rest", np.array(24, kind))], [p], tfl.PackOptionsT(valuesCount=2), version=1)
    if kind != np.int32:
        narrow = m.tensor("narrow", (2,), np.int32)
        m.op("CAST", [p], [narrow], tfl.CastOptionsT(inDataType=4, outDataType=2))
        p = narrow
    m.op("RESHAPE", [a, p], [y], tfl.ReshapeOptionsT())
    return m.done([x], [y])


@applies("fold-shapes", "ABS", "RESHAPE")
def shape_of_what_is_known():
    return shape_chain()


@applies("fold-shapes", "ABS", "RESHAPE")
def shape_as_int64():
    return shape_chain(kind=np.int64)


@stays("fold-shapes")
def shape_of_an_open_batch():
    return shape_chain(open_batch=True)


def arithmetic(build):
    """A RESHAPE of 24 numbers whose shape `build(m)` computes."""
    m = Model()
    x, y = m.tensor("x", (2, 12)), m.tensor("y", (4, 6))
    m.op("RESHAPE", [x, build(m)], [y], tfl.ReshapeOptionsT())
    return m.done([x], [y])


def computed(m, op, inputs, count, options=None, kind=np.int32, shape=None, version=1):
    out = m.tensor(f"{op}_{len(m.g.t.tensors)}", (count,) if shape is None else shape, kind)
    m.op(op, inputs, [out], options, version=version)
    return out


ARITHMETIC = {
    "ADD": lambda m: computed(m, "ADD", [m.ints("p", 1, 2), m.ints("q", 3, 4)], 2, tfl.AddOptionsT()),
    "SUB": lambda m: computed(m, "SUB", [m.ints("p", 9, 11), m.ints("q", 5)], 2, tfl.SubOptionsT()),
    "MUL": lambda m: computed(m, "MUL", [m.ints("p", 2, 3), m.const("two", np.int32(2))], 2, tfl.MulOptionsT()),
    "DIV": lambda m: computed(m, "DIV", [m.ints("p", 9, -13), m.ints("q", 2, -2)], 2, tfl.DivOptionsT()),
    "FLOOR_DIV": lambda m: computed(m, "ADD", [computed(m, "FLOOR_DIV", [m.ints("p", -7, 13), m.ints("q", 2)], 2, tfl.FloorDivOptionsT()), m.ints("r", 8, 0)], 2, tfl.AddOptionsT()),
    "FLOOR_MOD": lambda m: computed(m, "FLOOR_MOD", [m.ints("p", -6, 6), m.ints("q", 10, 7)], 2, tfl.FloorModOptionsT()),
    "MAXIMUM": lambda m: computed(m, "MAXIMUM", [m.ints("p", 4, 1), m.ints("q", 3, 6)], 2, tfl.MaximumMinimumOptionsT()),
    "MINIMUM": lambda m: computed(m, "MINIMUM", [m.ints("p", 4, 7), m.ints("q", 5, 6)], 2, tfl.MaximumMinimumOptionsT()),
    "GATHER": lambda m: computed(m, "GATHER", [m.ints("p", 9, 6, 4), m.ints("q", 2, 1)], 2, tfl.GatherOptionsT(axis=0)),
    "SLICE": lambda m: computed(m, "SLICE", [m.ints("p", 9, 4, 6), m.ints("b", 1), m.ints("n", -1)], 2, tfl.SliceOptionsT()),
    "STRIDED_SLICE": lambda m: computed(m, "STRIDED_SLICE", [m.ints("p", 9, 4, 8, 6, 1), m.ints("b", -4), m.ints("e", -1), m.ints("s", 2)], 2, tfl.StridedSliceOptionsT()),
    "CONCATENATION": lambda m: computed(m, "CONCATENATION", [m.ints("p", 4), m.ints("q", 6)], 2, tfl.ConcatenationOptionsT(axis=-1)),
    "RANGE": lambda m: computed(m, "RANGE", [m.const("a", np.int32(4)), m.const("b", np.int32(8)), m.const("c", np.int32(2))], 2, tfl.RangeOptionsT()),
    "REDUCE_PROD": lambda m: computed(m, "PACK", [computed(m, "REDUCE_PROD", [m.ints("p", 2, 2, 1), m.ints("axis", 0)], 0, tfl.ReducerOptionsT(), shape=()), m.const("six", np.int32(6))], 2, tfl.PackOptionsT(valuesCount=2)),
    "SUM": lambda m: computed(m, "PACK", [computed(m, "SUM", [m.ints("p", 2, 2), m.ints("axis", 0)], 0, tfl.ReducerOptionsT(), shape=()), m.const("six", np.int32(6))], 2, tfl.PackOptionsT(valuesCount=2)),
    "FILL": lambda m: computed(m, "ADD", [computed(m, "FILL", [m.ints("n", 2), m.const("v", np.int32(3))], 2, tfl.FillOptionsT()), m.ints("q", 1, 3)], 2, tfl.AddOptionsT()),
    "EXPAND_DIMS": lambda m: computed(m, "CONCATENATION", [computed(m, "EXPAND_DIMS", [m.const("p", np.int32(4)), m.const("axis", np.int32(0))], 1, tfl.ExpandDimsOptionsT()), m.ints("q", 6)], 2, tfl.ConcatenationOptionsT(axis=0)),
    "RANK": lambda m: computed(m, "PACK", [computed(m, "RANK", [m.const("four", np.zeros((1, 1, 1, 1), np.float32))], 0, tfl.RankOptionsT(), shape=()), m.const("six", np.int32(6))], 2, tfl.PackOptionsT(valuesCount=2)),
}
for _op, _build in ARITHMETIC.items():
    APPLIES.append(("fold-shapes", _op, lambda build=_build: arithmetic(build), ["RESHAPE"]))


@stays("fold-shapes")
def division_by_zero():
    return arithmetic(lambda m: computed(m, "FLOOR_DIV", [m.ints("p", 9, 13), m.ints("q", 0)], 2, tfl.FloorDivOptionsT()))


@stays("fold-shapes")
def numbers_that_overflow():
    return arithmetic(lambda m: computed(m, "MUL", [m.ints("p", 65536, 2), m.ints("q", 65536, 2)], 2, tfl.MulOptionsT()))


@stays("fold-shapes")
def for_a_custom_operator():
    m = Model()
    x, y = m.tensor("x", (2, 12)), m.tensor("y", (4, 6))
    m.op("Mine", [x, ARITHMETIC["ADD"](m)], [y])
    return m.done([x], [y])


@stays("fold-shapes")
def from_an_input():
    m = Model()
    x, n, y = m.tensor("x", (2, 12)), m.tensor("n", (2,), np.int32), m.tensor("y", (4, 6))
    m.op("RESHAPE", [x, computed(m, "ADD", [n, m.ints("one", 1, 1)], 2, tfl.AddOptionsT())], [y], tfl.ReshapeOptionsT())
    return m.done([x, n], [y])


# ---- dead things ----


@applies("drop-dead", "ABS")
def dead_branch():
    m = Model()
    x, y, a, b = (m.tensor(n, (2, 3)) for n in "xyab")
    m.op("ABS", [x], [y])
    m.op("ADD", [x, m.const("c", weights(2, 3))], [a], tfl.AddOptionsT())
    m.op("RELU", [a], [b])
    return m.done([x], [y])


@applies("drop-dead", "ABS")
def dead_constant():
    m = Model()
    x, y = m.tensor("x", (2, 3)), m.tensor("y", (2, 3))
    m.const("lost", weights(20, 30))
    m.op("ABS", [x], [y])
    return m.done([x], [y])


@stays("drop-dead")
def dead_custom_operator():
    m = Model()
    x, y, a = (m.tensor(n, (2, 3)) for n in "xya")
    m.op("ABS", [x], [y])
    m.op("Mine", [x], [a])
    return m.done([x], [y])


@stays("drop-dead")
def half_dead_operator():
    """One of two outputs is read."""
    m = Model()
    x, a, b, y = m.tensor("x", (2, 6)), m.tensor("a", (2, 3)), m.tensor("b", (2, 3)), m.tensor("y", (2, 3))
    m.op("SPLIT", [m.const("axis", np.int32(1)), x], [a, b], tfl.SplitOptionsT(numSplits=2))
    m.op("ABS", [a], [y])
    return m.done([x], [y])


@stays("drop-dead")
def state_of_dead_operator():
    """SVDF keeps a state, so it is not dead."""
    m = Model()
    x, y, z = m.tensor("x", (1, 8)), m.tensor("y", (1, 8)), m.tensor("z", (1, 4))
    state = m.tensor("state", (1, 16), isVariable=True)
    m.op("ABS", [x], [y])
    m.op("SVDF", [x, m.const("f", weights(4, 8)), m.const("t", weights(4, 4)), -1, state], [z], tfl.SVDFOptionsT(rank=1))
    return m.done([x], [y])


# ---- constants ----


def two_weights(second):
    m = Model()
    x, y, z = m.tensor("x", (1, 64)), m.tensor("y", (1, 16)), m.tensor("z", (1, 16))
    m.g.fc(x, m.const("w", weights(16, 64)), y)
    m.g.fc(x, m.const("v", weights(16, 64, seed=second)), z)
    return m.done([x], [y, z])


@applies("share-constants", "FULLY_CONNECTED", "FULLY_CONNECTED")
def equal_weights():
    return two_weights(0)


@stays("share-constants")
def other_weights():
    return two_weights(1)


@applies("fold-float16", "FULLY_CONNECTED")
def half_weights():
    m = Model()
    x, y = m.tensor("x", (1, 64)), m.tensor("y", (1, 16))
    m.g.fc(x, m.g.dequantize("w", weights(16, 64)), y, m.g.dequantize("b", weights(16)))
    return m.done([x], [y])


@stays("fold-float16")
def half_weights_that_go_out():
    m = Model()
    x, y = m.tensor("x", (1, 64)), m.tensor("y", (1, 16))
    w = m.g.dequantize("w", weights(16, 64))
    m.g.fc(x, w, y)
    return m.done([x], [y, w])


@stays("fold-float16")
def integers_behind_dequantize():
    m = Model()
    x, y, f = m.tensor("x", (1, 64)), m.tensor("y", (1, 16)), m.tensor("f", (16, 64))
    q = m.const("q", np.arange(1024, dtype=np.int8).reshape(16, 64), quantization=per_tensor(0.1, 0))
    m.op("DEQUANTIZE", [q], [f], tfl.DequantizeOptionsT(), version=2)
    m.g.fc(x, f, y)
    return m.done([x], [y])
