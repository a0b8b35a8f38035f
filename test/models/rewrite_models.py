# SPDX-License-Identifier: Apache-2.0
"""Generated models for each rewrite, in both directions: see rewrite_words.py for what the lists hold."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

from graph_builder import weights
from rewrite_words import APPLIES, STAYS, Model, applies, broadcast, ints, per_tensor, stays

import rewrite_shapes  # noqa: F401, it adds to the lists
from rewrite_broadcasts import LAYOUTS, joined, mismatched  # noqa: F401, for the tests

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
