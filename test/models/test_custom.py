# SPDX-License-Identifier: Apache-2.0
"""Custom operators that the executor knows. LiteRT's package lacks them: what they should give comes
from the operator that does the same, or from NumPy."""

import struct

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tfl

import graph_builder
import litert
import schema
import test_execute
import test_hybrid

SAME, VALID = 1, 2
TOLERANCE = 1e-5  # of the largest magnitude

pytestmark = [
    pytest.mark.no_tool,
    pytest.mark.skipif(not test_execute.PROGRAM.exists(), reason="the executor is not built"),
]


def run(raw, inputs, folder):
    path = folder / "model.tflite"
    path.write_bytes(raw)
    return test_execute.execute(path, inputs, folder)


def model(name, options, inputs, constants, outputs):
    """A custom operator alone: `inputs` and `outputs` are shapes, `constants` arrays."""
    b = graph_builder.Builder()
    g = b.graph("main")
    x = [g.tensor(f"x{i}", shape, kind) for i, (shape, kind) in enumerate(inputs)]
    c = [g.const(f"c{i}", values) for i, values in enumerate(constants)]
    y = [g.tensor(f"y{i}", shape) for i, shape in enumerate(outputs)]
    g.op(name, x + c, y, customOptions=np.frombuffer(options, np.uint8))
    g.io(x, y)
    return b.pack()


def refusal(raw, inputs, folder):
    report, outputs = run(raw, inputs, folder)
    assert outputs[0] is None
    return report["refusal"]


# ---- Convolution2DTransposeBias ----


@pytest.mark.parametrize("name", ["selfie_segmentation", "selfie_segmentation_landscape"])
def test_mediapipe_segmentation(name, tmp_path):
    """The whole model, against LiteRT with TRANSPOSE_CONV in the place of the custom operator."""
    raw = test_hybrid.corpus(name).read_bytes()
    t = tfl.ModelT.InitFromObj(tfl.Model.GetRootAs(raw, 0))
    graph = t.subgraphs[0]
    (op,) = [o for o in graph.operators if t.operatorCodes[o.opcodeIndex].customCode == b"Convolution2DTransposeBias"]
    padding, width, height = struct.unpack("<3i", bytes(op.customOptions))
    assert padding == SAME
    shape = np.array(graph.tensors[op.outputs[0]].shape, np.int32)
    t.buffers.append(tfl.BufferT(data=np.frombuffer(shape.tobytes(), np.uint8)))
    graph.tensors.append(
        tfl.TensorT(name="shape", shape=np.array([4], np.int32), type=tfl.TensorType.INT32, buffer=len(t.buffers) - 1)
    )
    t.operatorCodes.append(tfl.OperatorCodeT(deprecatedBuiltinCode=67, builtinCode=67, version=3))
    op.inputs = [len(graph.tensors) - 1, op.inputs[1], op.inputs[0], op.inputs[2]]
    op.opcodeIndex, op.customOptions = len(t.operatorCodes) - 1, None
    op.builtinOptionsType = tfl.BuiltinOptions.TransposeConvOptions
    op.builtinOptions = tfl.TransposeConvOptionsT(padding=0, strideW=width, strideH=height)
    answer = litert.run(schema.pack(t), False)
    assert litert.runs(answer), litert.says(answer)
    report, (output,) = run(raw, test_execute.inputs_like(answer), tmp_path)
    assert not report["refused"], report["refusal"]
    assert test_execute.difference(answer["outputs"][""][0], output) <= test_execute.TOLERANCE


def transposed(x, w, bias, padding, stride_w, stride_h):
    """As MediaPipe's own code does it: each input adds to the outputs that it reaches."""
    images, height, width, _ = x.shape
    filters, rows, columns, _ = w.shape
    pad_h = max(0, rows - (height - 1) % stride_h - 1) if padding == SAME else 0
    pad_w = max(0, columns - (width - 1) % stride_w - 1) if padding == SAME else 0
    y = np.zeros((images, stride_h * (height - 1) + rows, stride_w * (width - 1) + columns, filters))
    for i in range(height):
        for j in range(width):
            part = np.einsum("bc,fyxc->byxf", x[:, i, j].astype(np.float64), w.astype(np.float64))
            y[:, i * stride_h : i * stride_h + rows, j * stride_w : j * stride_w + columns] += part
    top, left = pad_h // 2, pad_w // 2
    y = y[:, top : y.shape[1] - (pad_h - top), left : y.shape[2] - (pad_w - left)]
    return (y + bias).astype(np.float32)


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("size, stride_w, stride_h", [(2, 2, 2), (3, 2, 2), (4, 2, 3), (5, 1, 2), (2, 3, 3)])
def test_transpose_conv_with_bias(padding, size, stride_w, stride_h, tmp_path):
    x, w = graph_builder.weights(2, 5, 6, 3, seed=1), graph_builder.weights(4, size, size, 3, seed=2)
    bias = graph_builder.weights(4, seed=3)
    want = transposed(x, w, bias, padding, stride_w, stride_h)
    options = struct.pack("<3i", padding, stride_w, stride_h)
    raw = model("Convolution2DTransposeBias", options, [(x.shape, np.float32)], [w, bias], [want.shape])
    report, (got,) = run(raw, [x], tmp_path)
    assert got is not None, report["refusal"]
    assert test_execute.difference(want, got) <= TOLERANCE


@pytest.mark.parametrize(
    "options",
    [
        b"", struct.pack("<3i", 1, 2, 2)[:11], struct.pack("<3i", 0, 2, 2), struct.pack("<3i", 3, 2, 2),
        struct.pack("<3i", 1, 0, 2), struct.pack("<3i", 1, 2, -1), struct.pack("<3i", 2, 2**31 - 1, 2**31 - 1),
        struct.pack("<3i", 1, 2**20, 2**20),
    ],
)
def test_bad_options_of_transpose_conv(options, tmp_path):
    x, w = graph_builder.weights(1, 5, 6, 3), graph_builder.weights(4, 2, 2, 3)
    raw = model("Convolution2DTransposeBias", options, [(x.shape, np.float32)], [w, graph_builder.weights(4)], [x.shape])
    assert refusal(raw, [x], tmp_path)


def test_unknown_name(tmp_path):
    x = graph_builder.weights(1, 2, 2, 3)
    raw = model("Convolution2DTransposeBiasX", bytes(12), [(x.shape, np.float32)], [], [x.shape])
    assert "Convolution2DTransposeBiasX" in refusal(raw, [x], tmp_path)


# ---- pooling and back ----


def pool(padding, stride_w, stride_h, filter_w, filter_h, activation=0):
    return struct.pack("<10i", padding, stride_w, stride_h, filter_w, filter_h, activation, 0, 0, 0, 0)


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("steps", [(2, 2, 2, 2), (2, 1, 3, 2), (3, 3, 2, 2)])
def test_max_pooling_that_says_where(padding, steps, tmp_path):
    stride_w, stride_h, columns, rows = steps
    x = graph_builder.weights(2, 7, 6, 3, seed=4)
    reach = lambda n, f, s: ((n + s - 1) // s if padding == SAME else (n - f + s) // s)
    height, width = reach(7, rows, stride_h), reach(6, columns, stride_w)
    top = max(0, (height - 1) * stride_h + rows - 7) // 2
    left = max(0, (width - 1) * stride_w + columns - 6) // 2
    want, places = np.zeros((2, 2, height, width, 3), np.float32)
    for b, i, j, c in np.ndindex(want.shape):
        best = max(
            (x[b, y, k, c], y - i * stride_h + top, k - j * stride_w + left)
            for y in range(max(0, i * stride_h - top), min(7, i * stride_h - top + rows))
            for k in range(max(0, j * stride_w - left), min(6, j * stride_w - left + columns))
        )
        want[b, i, j, c], places[b, i, j, c] = best[0], np.float32(best[1] * columns + best[2]) + np.float32(0.1)
    raw = model(
        "MaxPoolingWithArgmax2D", pool(padding, *steps), [(x.shape, np.float32)], [], [want.shape, want.shape]
    )
    report, (got, at) = run(raw, [x], tmp_path)
    assert got is not None, report["refusal"]
    assert np.array_equal(got, want) and np.array_equal(at, places)


def test_unpooling_in_windows(tmp_path):
    """What was largest comes back to where it was, all else is 0."""
    x = np.abs(graph_builder.weights(2, 6, 8, 3, seed=5)) + 1
    b = graph_builder.Builder()
    g = b.graph("main")
    at_x = g.tensor("x", x.shape)
    small, places, back = g.tensor("s", [2, 3, 4, 3]), g.tensor("p", [2, 3, 4, 3]), g.tensor("y", x.shape)
    options = np.frombuffer(pool(SAME, 2, 2, 2, 2), np.uint8)
    g.op("MaxPoolingWithArgmax2D", [at_x], [small, places], customOptions=options)
    g.op("MaxUnpooling2D", [small, places], [back], customOptions=options)
    g.io([at_x], [back])
    report, (got,) = run(b.pack(), [x], tmp_path)
    assert got is not None, report["refusal"]
    windows = x.reshape(2, 3, 2, 4, 2, 3)
    want = np.where(windows == windows.max((2, 4), keepdims=True), windows, 0).reshape(x.shape)
    assert np.array_equal(got, want)


def test_unpooling_of_an_image(tmp_path):
    """As the file max_unpooling_2d_valid says: 3 x 2 steps, windows of 2 x 2."""
    path = test_hybrid.corpus("max_unpooling_2d_valid")
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 2, 4, 2)).astype(np.float32)
    places = np.stack([rng.permutation(4 * 11 * 2)[:16] for _ in range(2)]).reshape(x.shape).astype(np.int32)
    report, (got,) = run(path.read_bytes(), [x, places], tmp_path)
    assert got is not None, report["refusal"]
    want = np.zeros((2, 4 * 11 * 2), np.float32)
    for image in range(2):
        want[image, places[image].ravel()] = x[image].ravel()
    assert np.array_equal(got, want.reshape(2, 4, 11, 2))
    for bad in (-1, 4 * 11 * 2, 2**31 - 1, -(2**31)):
        places[1, 1, 1, 1] = bad
        assert "index" in run(path.read_bytes(), [x, places], tmp_path)[0]["refusal"]


BAD_PLACES = [-1, -3, 1e9, -2147483648, 2147483520]


@pytest.mark.parametrize(
    "kind, bad",
    [(np.float32, bad) for bad in [np.nan, np.inf, -np.inf, *BAD_PLACES]] + [(np.int32, bad) for bad in BAD_PLACES],
)
def test_hostile_places(kind, bad, tmp_path):
    """Dropped or refused, and nothing is written outside."""
    x, places = np.ones((1, 2, 2, 1), np.float32), np.zeros((1, 2, 2, 1), kind)
    places[0, 0, 0, 0] = places[0, 1, 1, 0] = bad
    inputs = [(x.shape, np.float32), (x.shape, kind)]
    raw = model("MaxUnpooling2D", pool(SAME, 2, 2, 2, 2), inputs, [], [[1, 4, 4, 1]])
    report, (got,) = run(raw, [x, places], tmp_path)
    if kind == np.float32:
        assert got is not None and got[0, 0, 2, 0] == 1 and got[0, 2, 0, 0] == 1
    else:
        assert got is None and "index" in report["refusal"]


@pytest.mark.parametrize("name", ["MaxPoolingWithArgmax2D", "MaxUnpooling2D"])
@pytest.mark.parametrize(
    "options", [b"", pool(0, 2, 2, 2, 2), pool(SAME, 0, 2, 2, 2), pool(SAME, 2, 2, 2, -5), pool(VALID, 1, 1, 1 << 30, 1 << 30)]
)
def test_bad_options_of_pooling(name, options, tmp_path):
    x = np.ones((1, 3, 3, 1), np.float32)
    pair = name == "MaxUnpooling2D"
    raw = model(name, options, [(x.shape, np.float32)] * (1 + pair), [], [x.shape] * (2 - pair))
    assert refusal(raw, [x] * (1 + pair), tmp_path)
