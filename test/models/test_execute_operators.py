# SPDX-License-Identifier: Apache-2.0
"""Each operator of the library's executor against LiteRT's, in models of one operator."""

import dataclasses
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tfl

import litert
import litert_worker
import places
from graph_builder import Builder, weights

PROGRAM = pathlib.Path(os.environ.get("TFQUANT_EXECUTE_MODEL", places.BUILD / "test" / "execute" / "execute_model"))
pytestmark = [
    pytest.mark.no_tool,
    pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM.name} is not built"),
]
TOLERANCE = 1e-4  # of the largest value
FLOAT, INT, LONG, BOOL = np.float32, np.int32, np.int64, np.bool_
CASES = {}


@dataclasses.dataclass(frozen=True)
class X:
    """A graph input of random numbers from -1 to 1, times `scale`, plus `shift`."""

    shape: tuple
    scale: float = 1
    shift: float = 0


def case(label, name, inputs, options=None, out=(FLOAT,), version=1, shape=None):
    """Arrays are constants. `out`: types of the outputs; shapes are for both to find out, except where
    LiteRT insists on `shape`."""
    assert label not in CASES
    CASES[label] = (name, inputs, options, out, version, shape)


def option(kind, **fields):
    return getattr(tfl, kind + "OptionsT")(**fields)


def ints(*values, kind=INT):
    return np.array(values, kind)


def draw(*shape, low=-9, high=9, kind=INT):
    return np.random.default_rng([3, len(shape)]).integers(low, high, shape).astype(kind)


def build(name, inputs, options, out, version, shape):
    b = Builder()
    g = b.graph("main")
    feeds, operands = [], []
    for i, value in enumerate(inputs):
        if not isinstance(value, X):
            operands.append(g.tensor(f"c{i}", value.shape, value.dtype, b.buffer(value)))
            continue
        feeds.append(g.tensor(f"x{i}", value.shape))
        operands.append(feeds[-1])
        for step, constant, kind in (("MUL", value.scale, "Mul"), ("ADD", value.shift, "Add")):
            if constant != (1 if step == "MUL" else 0):
                operands.append(g.tensor(f"{step}{i}", value.shape))
                g.op(step, [operands[-2], g.const(f"{step}_c{i}", np.float32(constant))], [operands[-1]], option(kind))
                del operands[-2]
    outputs = [g.tensor(f"y{i}", shape or [1], kind) for i, kind in enumerate(out)]
    g.op(name, operands, outputs, options, version)
    g.io(feeds, outputs)
    return b.pack()


# ---- two inputs ----

SHAPES = {
    "equal": ((2, 3, 5, 7), (2, 3, 5, 7)), "channels": ((2, 3, 4, 5), (5,)), "scalar": ((3, 7), ()),
    "scalar_first": ((), (3, 7)), "pixels": ((2, 3, 4, 5), (2, 3, 4, 1)), "outer": ((1, 3, 1, 5), (2, 1, 4, 1)),
    "middle": ((2, 3, 4), (2, 1, 4)), "rank_5": ((2, 1, 3, 1, 2), (2, 2, 3, 4, 1)), "ones": ((1, 1), (1,)),
}
ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}
for name in ("Add", "Sub", "Mul", "Div"):
    for label, (a, b) in SHAPES.items():
        if len(a) < 5 or name in ("Add", "Mul"):
            case(f"{name}_{label}", name.upper(), [X(a), X(b, 0.5, 2)], option(name))
    for label, number in ACTIVATIONS.items():
        case(f"{name}_{label}", name.upper(), [X((3, 17), 9), X((17,), 2, 3)],
             option(name, fusedActivationFunction=number))
    case(f"{name}_int", name.upper(), [draw(3, 4), draw(4, low=1)], option(name), [INT])
for name in ("SQUARED_DIFFERENCE", "MAXIMUM", "MINIMUM"):
    kind = "SquaredDifference" if name[0] == "S" else "MaximumMinimum"
    for label in ("equal", "channels", "scalar", "outer"):
        case(f"{name}_{label}", name, [X(shape) for shape in SHAPES[label]], option(kind))
    case(f"{name}_int", name, [draw(3, 4), draw(4)], option(kind), [INT])
case("POW", "POW", [X((3, 50), 4, 4.1), X((50,), 3)], option("Pow"))
case("POW_of_negative", "POW", [X((3, 50), 4), weights(50).round()], option("Pow"))
case("POW_int", "POW", [draw(3, 4), draw(4, low=0, high=5)], option("Pow"), [INT])
for name, kind in (("FLOOR_DIV", "FloorDiv"), ("FLOOR_MOD", "FloorMod")):
    case(f"{name}", name, [X((3, 50), 9), X((50,), 2, -3)], option(kind))
    for sign in (-1, 1):
        for whole in (INT, LONG)[: 1 if name == "FLOOR_DIV" else 2]:
            case(f"{name}_{whole.__name__}_{sign}", name,
                 [draw(3, 9, kind=whole), whole(sign) * draw(9, low=1, kind=whole)],
                 option(kind), [whole])
case("ADD_N", "ADD_N", [X((3, 5)), X((3, 5)), X((3, 5))], option("AddN"))

# ---- conditions ----

for name, kind in (("EQUAL", "Equal"), ("NOT_EQUAL", "NotEqual"), ("LESS", "Less"), ("LESS_EQUAL", "LessEqual"),
                   ("GREATER", "Greater"), ("GREATER_EQUAL", "GreaterEqual")):
    case(f"{name}_float", name, [weights(3, 1, 4).round(), weights(5, 1, seed=1).round()], option(kind), [BOOL])
    for whole in (INT, LONG):
        case(f"{name}_{whole.__name__}", name,
             [draw(40, kind=whole, high=-5), draw(3, 40, kind=whole, high=-5)], option(kind), [BOOL])
case("EQUAL_bool", "EQUAL", [draw(40) > 0, draw(40, 40) > 0], option("Equal"), [BOOL])
for name, kind in (("LOGICAL_AND", "LogicalAnd"), ("LOGICAL_OR", "LogicalOr")):
    case(name, name, [draw(3, 40) > 0, draw(40) > 3], option(kind), [BOOL])
case("LOGICAL_NOT", "LOGICAL_NOT", [draw(3, 40) > 0], option("LogicalNot"), [BOOL])
case("SELECT_same", "SELECT", [draw(3, 40) > 0, X((3, 40)), X((3, 40))], option("Select"))
case("SELECT_rows", "SELECT", [draw(3) > 0, X((3, 40)), weights(3, 40)], option("Select"))
case("SELECT_int", "SELECT", [draw(3, 4) > 0, draw(3, 4), draw(3, 4) * 2], option("Select"), [INT])
case("SELECT_V2", "SELECT_V2", [draw(3, 1) > 0, X((1, 40)), X((3, 40))], option("SelectV2"))
case("SELECT_V2_scalar", "SELECT_V2", [draw(3, 40) > 0, X((3, 40)), np.float32(-9)], option("SelectV2"))
case("WHERE", "WHERE", [draw(3, 4, 5) > 0], option("Where"), [LONG])

# ---- one input ----

for name, kind, span in (
    ("SQUARE", "Square", X((3, 50), 9)), ("SQRT", None, X((3, 50), 4, 4)), ("RSQRT", None, X((3, 50), 4, 5)),
    ("EXP", "Exp", X((3, 50), 9)), ("LOG", None, X((3, 50), 4, 4.01)), ("SIN", None, X((3, 50), 40)),
    ("COS", "Cos", X((3, 50), 40)), ("FLOOR", None, X((3, 50), 9)), ("CEIL", None, X((3, 50), 9)),
    ("ROUND", None, X((3, 50), 9)), ("NEG", "Neg", X((3, 50))), ("ABS", "Abs", X((3, 50))), ("SIGN", "Sign", X((3, 50))),
    ("RELU", None, X((3, 50))), ("RELU6", None, X((3, 50), 9)), ("RELU_N1_TO_1", None, X((3, 50), 3)),
    ("RELU_0_TO_1", None, X((3, 50), 3)), ("ELU", None, X((3, 50), 5)), ("HARD_SWISH", "HardSwish", X((3, 50), 5)),
    ("LOGISTIC", None, X((3, 50), 20)), ("TANH", None, X((3, 50), 5)), ("LOG_SOFTMAX", "LogSoftmax", X((3, 5, 50), 5)),
    ("L2_NORMALIZATION", "L2Norm", X((2, 3, 4, 50), 5)), ("ZEROS_LIKE", "ZerosLike", X((3, 5))),
):
    case(name, name, [span], option(kind) if kind else None)
case("ROUND_ties", "ROUND", [np.arange(-20, 20, dtype=FLOAT) / 2])
case("NEG_int", "NEG", [draw(3, 4)], option("Neg"), [INT])
case("ABS_int", "ABS", [draw(3, 4)], option("Abs"), [INT])
case("GELU", "GELU", [X((3, 50), 6)], option("Gelu", approximate=False))
case("GELU_by_tanh", "GELU", [X((3, 50), 6)], option("Gelu", approximate=True))
case("LEAKY_RELU", "LEAKY_RELU", [X((3, 50), 6)], option("LeakyRelu", alpha=0.3))
case("PRELU", "PRELU", [X((2, 3, 4, 5)), weights(1, 1, 5)])
case("PRELU_pixels", "PRELU", [X((2, 3, 4, 5)), weights(3, 4, 1)])
for beta in (1.0, 0.3):
    case(f"SOFTMAX_{beta}", "SOFTMAX", [X((2, 3, 50), 9)], option("Softmax", beta=beta))
case("SOFTMAX_vector", "SOFTMAX", [X((1, 1000), 9)], option("Softmax", beta=1.0))
KINDS = {"float": weights(3, 7) * 4, "int": draw(3, 7), "long": draw(3, 7, kind=LONG), "bool": draw(3, 7) > 0}
TYPES = {"float": FLOAT, "int": INT, "long": LONG, "bool": BOOL}
for a, values in KINDS.items():
    for b, kind in TYPES.items():
        if a != b:
            case(f"CAST_{a}_{b}", "CAST", [values], option("Cast"), [kind])

# ---- windows, reductions, along an axis ----

for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
    for padding in (0, 1):
        for height, width, down, right in ((2, 2, 2, 2), (3, 2, 1, 3), (5, 7, 1, 1), (1, 1, 2, 2)):
            case(f"{name}_{padding}_{height}x{width}_{down}x{right}", name, [X((2, 7, 9, 5))],
                 option("Pool2D", padding=padding, filterHeight=height, filterWidth=width, strideH=down, strideW=right))
    case(f"{name}_relu", name, [X((1, 4, 4, 33))],
         option("Pool2D", filterHeight=2, filterWidth=2, strideH=2, strideW=2, fusedActivationFunction=1))
for name in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"):
    for axes in ((0,), (1, 2), (3,), (-1,), (0, 2), (1, 3), (0, 1, 2, 3), (2, -2)):
        for keep in (False, True):
            case(f"{name}_{axes}_{keep}", name, [X((2, 3, 4, 37), 0.5, 1), ints(*axes)],
                 option("Reducer", keepDims=keep))
    case(f"{name}_int", name, [draw(3, 4, 2, low=-3, high=4), ints(1)], option("Reducer"), [INT])
    case(f"{name}_rank_5", name, [X((2, 3, 2, 3, 4)), ints(1, 3)], option("Reducer"))
for name in ("REDUCE_ANY", "REDUCE_ALL"):
    for axes in ((0,), (1,), (0, 1)):
        case(f"{name}_{axes}", name, [draw(5, 40) > -9, ints(*axes)], option("Reducer"), [BOOL])
for name, kind in (("ARG_MAX", "ArgMax"), ("ARG_MIN", "ArgMin")):
    for axis in (0, 1, -1):
        for number, whole in ((tfl.TensorType.INT32, INT), (tfl.TensorType.INT64, LONG)):
            case(f"{name}_{axis}_{whole.__name__}", name, [X((3, 4, 50)), np.int32(axis)],
                 option(kind, outputType=number), [whole])
    case(f"{name}_ties", name, [draw(5, 90), np.int32(1)], option(kind, outputType=tfl.TensorType.INT32), [INT])
for exclusive in (False, True):
    for reverse in (False, True):
        for axis in (0, 1, -1):
            case(f"CUMSUM_{exclusive}_{reverse}_{axis}", "CUMSUM", [X((3, 4, 5)), np.int32(axis)],
                 option("Cumsum", exclusive=exclusive, reverse=reverse))
case("CUMSUM_int", "CUMSUM", [draw(3, 4), np.int32(1)], option("Cumsum"), [INT])

# ---- shapes ----

case("RESHAPE", "RESHAPE", [X((2, 3, 4)), ints(4, -1)], option("Reshape"))
case("RESHAPE_by_options", "RESHAPE", [X((2, 3, 4))], option("Reshape", newShape=[-1, 6]))
case("SQUEEZE", "SQUEEZE", [X((1, 3, 1, 4, 1))], option("Squeeze"))
case("SQUEEZE_some", "SQUEEZE", [X((1, 3, 1, 4, 1))], option("Squeeze", squeezeDims=[0, -1]))
for axis in (0, 2, -1, -3):
    case(f"EXPAND_DIMS_{axis}", "EXPAND_DIMS", [X((3, 4)), np.int32(axis)], option("ExpandDims"))
case("SHAPE", "SHAPE", [X((3, 4, 1))], option("Shape", outType=tfl.TensorType.INT32), [INT])
case("SHAPE_long", "SHAPE", [X((3, 4, 1))], option("Shape", outType=tfl.TensorType.INT64), [LONG])
case("RANK", "RANK", [X((3, 4, 1))], option("Rank"), [INT])
case("FILL", "FILL", [ints(2, 3), np.float32(7)], option("Fill"))
case("FILL_long", "FILL", [ints(2, 3, kind=LONG), np.int64(7)], option("Fill"), [LONG])
for start, end, step in ((0, 10, 3), (10, 0, -4)):
    case(f"RANGE_{start}_{end}_{step}", "RANGE", [np.int32(start), np.int32(end), np.int32(step)], option("Range"),
         [INT])
case("RANGE_float", "RANGE", [np.float32(0), np.float32(2.05), np.float32(0.1)], option("Range"))

# ---- other places ----

for order in ((0, 2, 1), (2, 1, 0), (1, 2, 0), (0, 1, 2), (3, 1, 2, 0), (0, 3, 1, 2), (0, 2, 1, 3), (4, 2, 0, 3, 1)):
    case(f"TRANSPOSE_{order}", "TRANSPOSE", [X((2, 3, 4, 5, 3)[: len(order)]), ints(*order)], option("Transpose"))
for order in ((0, 3, 1, 2), (3, 2, 1, 0), (1, 0, 3, 2)):
    case(f"TRANSPOSE_large_{order}", "TRANSPOSE", [X((2, 37, 5, 70)), ints(*order)], option("Transpose"))
case("TRANSPOSE_bool", "TRANSPOSE", [draw(70, 37) > 0, ints(1, 0)], option("Transpose"), [BOOL])
case("TRANSPOSE_long", "TRANSPOSE", [draw(3, 4, kind=LONG), ints(1, 0)], option("Transpose"), [LONG])
case("BROADCAST_TO", "BROADCAST_TO", [X((3, 1)), ints(2, 3, 4)], option("BroadcastTo"), version=2)
case("TILE", "TILE", [X((2, 1, 3)), ints(2, 3, 2)], option("Tile"))
case("TILE_once", "TILE", [X((2, 3)), ints(1, 2)], option("Tile"))
for axes in ((0,), (1,), (2,)):
    case(f"REVERSE_V2_{axes}", "REVERSE_V2", [X((3, 4, 5)), ints(*axes)], option("ReverseV2"))
case("SPACE_TO_DEPTH", "SPACE_TO_DEPTH", [X((2, 4, 6, 3))], option("SpaceToDepth", blockSize=2))
case("DEPTH_TO_SPACE", "DEPTH_TO_SPACE", [X((2, 2, 3, 18))], option("DepthToSpace", blockSize=3))
for block, pads in (((2, 2), ((0, 0), (0, 0))), ((3, 2), ((1, 1), (2, 4))), ((1, 3), ((0, 0), (0, 3)))):
    case(f"SPACE_TO_BATCH_ND_{block}", "SPACE_TO_BATCH_ND", [X((2, 4, 6, 3)), ints(*block), ints(*pads)],
         option("SpaceToBatchND"))
case("SPACE_TO_BATCH_ND_rank_3", "SPACE_TO_BATCH_ND", [X((2, 6, 3)), ints(3), ints((2, 1))], option("SpaceToBatchND"))
for block, crops in (((2, 2), ((0, 0), (0, 0))), ((2, 3), ((1, 0), (2, 4))), ((3, 1), ((4, 0), (0, 1)))):
    case(f"BATCH_TO_SPACE_ND_{block}", "BATCH_TO_SPACE_ND", [X((12, 2, 4, 3)), ints(*block), ints(*crops)],
         option("BatchToSpaceND"))

# ---- join and split ----

for axis in (0, 1, 2, -1):
    shapes = [[2, 3, 4] for _ in range(3)]
    for i, shape in enumerate(shapes):
        shape[axis] = i + 1
    case(f"CONCATENATION_{axis}", "CONCATENATION", [X(tuple(s)) for s in shapes], option("Concatenation", axis=axis))
    case(f"PACK_{axis}", "PACK", [X((3, 4)), X((3, 4)), weights(3, 4)], option("Pack", axis=axis, valuesCount=3))
    case(f"UNPACK_{axis}", "UNPACK", [X((3, 3, 3))], option("Unpack", axis=axis, num=3), [FLOAT] * 3)
    case(f"SPLIT_{axis}", "SPLIT", [np.int32(axis), X((4, 6, 2))], option("Split", numSplits=2), [FLOAT] * 2)
    case(f"SPLIT_V_{axis}", "SPLIT_V", [X((5, 5, 5)), ints(1, -1, 2), np.int32(axis)], option("SplitV", numSplits=3),
         [FLOAT] * 3)
case("CONCATENATION_long", "CONCATENATION", [draw(2, 3, kind=LONG), draw(2, 2, kind=LONG)],
     option("Concatenation", axis=1), [LONG])

# ---- parts ----

case("SLICE", "SLICE", [X((4, 5, 6)), ints(1, 0, 2), ints(2, -1, 3)], option("Slice"), shape=(2, 5, 3))
case("SLICE_long", "SLICE", [X((4, 5)), ints(1, 0, kind=LONG), ints(-1, 2, kind=LONG)], option("Slice"), shape=(3, 2))
for label, begin, end, stride, masks in (
    ("plain", (0, 1, 2), (3, 4, 6), (1, 1, 1), {}),
    ("steps", (0, 1, 0), (4, 5, 6), (2, 3, 4), {}),
    ("back", (-1, 4, 0), (0, 0, 6), (-1, -2, 1), {}),
    ("far", (-9, 1, 2), (99, 4, 99), (1, 1, 1), {}),
    ("open", (1, 1, 1), (2, 2, 2), (1, 1, 1), {"beginMask": 2, "endMask": 5}),
    ("open_back", (1, 1, 1), (2, 2, 2), (-1, -1, 1), {"beginMask": 3, "endMask": 3}),
    ("shrink", (-1, 1, 2), (0, 4, 6), (1, 1, 1), {"shrinkAxisMask": 1}),
    ("shrink_all", (1, 2, 3), (2, 3, 4), (1, 1, 1), {"shrinkAxisMask": 7}),
    ("fewer", (1,), (3,), (1,), {}),
    ("ellipsis", (0, 1), (0, 3), (1, 1), {"ellipsisMask": 1}),
    ("ellipsis_middle", (1, 0, 2), (3, 0, 5), (1, 1, 2), {"ellipsisMask": 2}),
    ("new_axis", (0, 1, 0), (0, 3, 2), (1, 1, 1), {"newAxisMask": 1}),
    ("new_axis_last", (0, 0), (0, 0), (1, 1), {"ellipsisMask": 1, "newAxisMask": 2}),
):
    case(f"STRIDED_SLICE_{label}", "STRIDED_SLICE", [X((4, 5, 6)), ints(*begin), ints(*end), ints(*stride)],
         option("StridedSlice", **masks))
case("DYNAMIC_UPDATE_SLICE", "DYNAMIC_UPDATE_SLICE", [X((4, 5)), X((2, 3)), ints(1, 9)], option("DynamicUpdateSlice"))
PADS = ints((0, 1), (2, 0), (1, 1))
case("PAD", "PAD", [X((2, 3, 4)), PADS], option("Pad"))
case("PAD_channels", "PAD", [X((1, 3, 3, 4)), ints((0, 0), (0, 0), (0, 0), (0, 5))], option("Pad"))
case("PADV2", "PADV2", [X((2, 3, 4)), PADS, np.float32(5)], option("PadV2"))
for mode in (0, 1):
    case(f"MIRROR_PAD_{mode}", "MIRROR_PAD", [X((2, 3, 4)), PADS], option("MirrorPad", mode=mode))
    case(f"MIRROR_PAD_most_{mode}", "MIRROR_PAD", [X((3, 4)), ints((2, 2), (3, 3))], option("MirrorPad", mode=mode))

# ---- resize ----

for size in ((8, 12), (3, 4), (5, 7), (1, 1), (9, 6)):
    for align, half in ((False, False), (True, False), (False, True)):
        for name, kind in (("RESIZE_BILINEAR", "ResizeBilinear"), ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor")):
            case(f"{name}_{size}_{align}_{half}", name, [X((2, 4, 6, 3)), ints(*size)],
                 option(kind, alignCorners=align, halfPixelCenters=half), version=3)

# ---- lookup ----

for axis in (0, 1, -1):
    case(f"GATHER_{axis}", "GATHER", [X((3, 4, 5)), draw(2, 3, low=0, high=3)], option("Gather", axis=axis))
case("GATHER_scalar", "GATHER", [X((3, 4, 5)), np.int32(2)], option("Gather", axis=1))
case("GATHER_long", "GATHER", [draw(3, 4, kind=LONG), ints(2, 0, kind=LONG)], option("Gather"), [LONG])
case("GATHER_batch", "GATHER", [X((2, 3, 4)), draw(2, 5, low=0, high=3)], option("Gather", axis=1, batchDims=1))
case("GATHER_batch_behind", "GATHER", [X((2, 3, 4)), draw(2, 5, low=0, high=3)], option("Gather", axis=2, batchDims=1))
for depth in (1, 2, 3):
    case(f"GATHER_ND_{depth}", "GATHER_ND", [X((3, 4, 5)), draw(2, 6, depth, low=0, high=3)], option("GatherNd"))
case("EMBEDDING_LOOKUP", "EMBEDDING_LOOKUP", [ints(2, 0, 4), weights(5, 7)])
for axis in (-1, 0, 1):
    case(f"ONE_HOT_{axis}", "ONE_HOT", [draw(3, 4, low=-1, high=6), np.int32(5), np.float32(2), np.float32(-1)],
         option("OneHot", axis=axis))
case("ONE_HOT_int", "ONE_HOT", [draw(4, low=0, high=6, kind=LONG), np.int32(5), np.int32(1), np.int32(0)],
     option("OneHot", axis=-1), [INT])
case("TOPK_V2", "TOPK_V2", [X((3, 50)), np.int32(7)], option("TopKV2"), [FLOAT, INT])
case("TOPK_V2_ties", "TOPK_V2", [draw(3, 50), np.int32(50)], option("TopKV2"), [INT, INT])


def write_array(path, values):
    head = np.array([values.ndim, *values.shape], "<i4")
    path.write_bytes(head.tobytes() + np.ascontiguousarray(values).tobytes())


def read_array(path, kind):
    raw = path.read_bytes()
    rank = int(np.frombuffer(raw, "<i4", 1)[0])
    shape = np.frombuffer(raw, "<i4", rank, 4)
    return np.frombuffer(raw, kind, offset=4 + 4 * rank).reshape(shape)


def execute(model, inputs, kinds, directory):
    path = directory / "model.tflite"
    path.write_bytes(model)
    for i, values in enumerate(inputs):
        write_array(directory / f"input_{i}.bin", values)
    done = subprocess.run([PROGRAM, path, directory], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert not report["refusal"], report["refusal"]
    return [read_array(directory / f"output_{i}.bin", kind) for i, kind in enumerate(kinds)]


@pytest.mark.parametrize("label", CASES)
def test_operator_is_litert_s(label, tmp_path):
    model = build(*CASES[label])
    theirs = litert.run(model, False)
    if not litert.runs(theirs):
        pytest.skip(f"LiteRT does not run it: {litert.says(theirs)[:120]}")
    feeds = [{"shape": np.array(shape, INT), "dtype": np.dtype(kind)} for _, kind, shape, _ in theirs["inputs"]]
    inputs = [litert_worker.inputs_for(d, i, theirs["way"]) for i, d in enumerate(feeds)]
    want = theirs["outputs"][""]
    have = execute(model, [np.asarray(x) for x in inputs], [w.dtype for w in want], tmp_path)
    for ours, wanted in zip(have, want, strict=True):
        assert ours.shape == wanted.shape
        if wanted.dtype != FLOAT:
            assert ours.tolist() == wanted.tolist()
        elif wanted.size:
            most = np.abs(wanted).max()
            assert np.isfinite(most) and np.abs(ours - wanted).max() <= TOLERANCE * most
