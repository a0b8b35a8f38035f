# SPDX-License-Identifier: Apache-2.0
"""Models for fold-shapes; see rewrite_words.py."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

from rewrite_words import APPLIES, Model, applies, stays

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
