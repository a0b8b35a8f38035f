# SPDX-License-Identifier: Apache-2.0
"""Models for the rewrites of BROADCAST_TO; see rewrite_words.py."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

from graph_builder import weights
from rewrite_words import APPLIES, KINDS, Model, applies, broadcast, quantization, stays

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
