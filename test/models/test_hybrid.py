# SPDX-License-Identifier: Apache-2.0
"""Where weights are small integers and activations are float32, LiteRT rounds the activations too. The
executor does that as the runtime does it by default, with XNNPACK.

Layer by layer, since in a chain each difference in the last bit turns a few values over to the next of
256 steps, and some layers on all is different by about as much as those steps are."""

import functools

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tfl

import graph_builder
import litert
import models
import reference
import schema
import test_execute
import tool

TOLERANCE = 1e-5  # of the largest magnitude
SMALL = (tfl.TensorType.INT8, tfl.TensorType.INT4, tfl.TensorType.INT2)
LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL")
NAMES = {getattr(tfl.BuiltinOperator, name): name for name in LAYERS}

pytestmark = pytest.mark.skipif(not test_execute.PROGRAM.exists(), reason="the executor is not built")


def corpus(name):
    found, reason = models.find()
    for key, path in found.items():
        if key.rsplit("/", 1)[-1] == name:
            return path
    pytest.skip(f"{name} is not among {reason}")


def unpacked(raw):
    return tfl.ModelT.InitFromObj(tfl.Model.GetRootAs(raw, 0))


def layers_of(raw):
    """(position, name, what is peculiar about it) of each layer with small weights."""
    model = unpacked(raw)
    graph = model.subgraphs[0]
    for i, op in enumerate(graph.operators):
        name = NAMES.get(schema.builtin(model.operatorCodes[op.opcodeIndex]))
        if name and graph.tensors[op.inputs[1]].type in SMALL:
            x = graph.tensors[op.inputs[2 if name == "TRANSPOSE_CONV" else 0]]
            sizes = tuple(graph.tensors[op.inputs[1]].shape.tolist()), tuple(x.shape.tolist())
            yield i, name, (sizes, str(vars(op.builtinOptions)))


def cut_out(raw, position):
    """A model of this operator alone."""
    model = unpacked(raw)
    graph = model.subgraphs[0]
    op = graph.operators[position]
    at = op.inputs[2 if NAMES[schema.builtin(model.operatorCodes[op.opcodeIndex])] == "TRANSPOSE_CONV" else 0]
    graph.operators, graph.inputs, graph.outputs = [op], [at], [op.outputs[0]]
    model.signatureDefs = None
    return schema.pack(model)


def check(raw, folder):
    """The largest difference to LiteRT with XNNPACK; None: LiteRT refuses it."""
    answer = litert.run(raw, True)
    if not litert.runs(answer):
        return None
    path = folder / "model.tflite"
    path.write_bytes(raw)
    inputs = test_execute.inputs_like(answer)
    report, outputs = test_execute.execute(path, inputs, folder, "--disable", test_execute.EVERY_LEVEL)
    assert not report["refused"], report["refusal"]
    scalar = test_execute.execute(path, inputs, folder, "--disable", test_execute.NO_LEVEL)[1]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(outputs, scalar)), "other bits with scalar code"
    return max(test_execute.difference(w, g) for w, g in zip(answer["outputs"][""], outputs, strict=True))


@functools.cache
def dynamic(name):
    return tool.quantize(corpus(name), "dynamic_wi8_afp32").raw


@pytest.mark.parametrize(
    "name", ["face_landmark_fp32_legacy", "hand_landmark_full", "palm_detection_full", "pose_landmark_lite"]
)
def test_each_layer_of_a_model(name, tmp_path, notes):
    raw, seen, worst = dynamic(name), set(), 0.0
    for position, kind, peculiar in layers_of(raw):
        if (kind, peculiar) in seen:
            continue
        seen.add((kind, peculiar))
        found = check(cut_out(raw, position), tmp_path)
        assert found is not None and found <= TOLERANCE, f"operator {position} ({kind}, {peculiar}): {found}"
        worst = max(worst, found)
    assert len(seen) >= 5
    notes.append(f"dynamic range {name}: {len(seen)} kinds of layers, largest difference {worst:.1e}")


@pytest.mark.parametrize(
    "name",
    [
        "single_fc", "single_fc_bias", "single_fc_no_bias", "single_fc_bias_relu6", "conv_fc_mnist",
        "single_conv2d_transpose_bias", "single_depthwise_conv2d_bias", "bmm_constant_input", "embedding_lookup",
        "v_einsum", "attn_vec_einsum",
    ],
)
def test_a_small_model(name, tmp_path):
    raw = dynamic(name)
    found = check(raw, tmp_path)
    assert found is not None and found <= TOLERANCE


@pytest.mark.parametrize("recipe", ["dynamic_wi4c_afp32", "dynamic_wi4b32_afp32", "dynamic_wi8b32_afp32"])
@pytest.mark.parametrize("name", ["v_einsum", "channel_i4rangedvalues_fc", "conv_fc_mnist"])
def test_four_bits_and_blocks(name, recipe, tmp_path):
    """As litert-quantizer makes them: int4 by channel, and in blocks whose scales XNNPACK shortens."""
    raw, refusal = reference.quantize(corpus(name).read_bytes(), recipe)
    assert raw, refusal
    found = check(raw, tmp_path)
    assert found is not None and found <= TOLERANCE


def of_int8(kind, w, x_shape, y_shape, axis, options, order=(0, 1), more=()):
    """A model of one layer whose weights are int8 already."""
    b = graph_builder.Builder()
    g = b.graph("main")
    count = w.shape[axis]
    scale = (np.arange(count) % 3 + 1).astype(np.float32) / 64
    quantization = tfl.QuantizationParametersT(
        scale=scale, zeroPoint=np.zeros(count, np.int64), quantizedDimension=axis
    )
    q = np.clip(np.rint(w * 40), -127, 127).astype(np.int8)
    x, weight = g.tensor("x", x_shape), g.const("w", q, quantization=quantization)
    y = g.tensor("y", y_shape)
    inputs = list(more(g) if more else ()) + [(x, weight)[i] for i in order]
    if kind != "BATCH_MATMUL":
        inputs.append(g.const("b", graph_builder.weights(y_shape[-1], seed=2)))
    g.op(kind, inputs, [y], options, version=5 if kind == "CONV_2D" else 4)
    g.io([x], [y])
    return b.pack()


def conv(filters, size, channels, stride, images=2, in_channels=None):
    out = -(-8 // stride)
    return of_int8(
        "CONV_2D", graph_builder.weights(filters, size, size, channels), [images, 8, 8, in_channels or channels],
        [images, out, out, filters], 0, tfl.Conv2DOptionsT(strideW=stride, strideH=stride),
    )


def matmul(adj_x, adj_y):
    w = graph_builder.weights(3, *((7, 12) if adj_y else (12, 7)))
    return of_int8(
        "BATCH_MATMUL", w, [3, *((12, 5) if adj_x else (5, 12))], [3, 5, 7], 1 if adj_y else 2,
        tfl.BatchMatMulOptionsT(adjX=adj_x, adjY=adj_y),
    )


SHAPES = {
    "conv_3x3_of_two_images": lambda: conv(16, 3, 8, 1),
    "conv_1x1": lambda: conv(16, 1, 8, 1),
    "conv_1x1_in_steps": lambda: conv(16, 1, 8, 2),
    "conv_1x1_of_one_channel": lambda: conv(1, 1, 1, 1),
    "conv_1x1_in_groups": lambda: conv(16, 1, 4, 1, in_channels=8),
    "depthwise_of_two_images": lambda: of_int8(
        "DEPTHWISE_CONV_2D", graph_builder.weights(1, 3, 3, 8), [2, 8, 8, 8], [2, 8, 8, 8], 3,
        tfl.DepthwiseConv2DOptionsT(strideW=1, strideH=1, depthMultiplier=1),
    ),
    "transpose_conv_of_two_images": lambda: of_int8(
        "TRANSPOSE_CONV", graph_builder.weights(16, 3, 3, 8), [2, 4, 4, 8], [2, 8, 8, 16], 0,
        tfl.TransposeConvOptionsT(strideW=2, strideH=2), (1, 0),
        lambda g: [g.const("shape", np.array([2, 8, 8, 16], np.int32))],
    ),
    "matmul": lambda: matmul(False, True),
    "matmul_turned": lambda: matmul(True, True),
}


@pytest.mark.parametrize("name", SHAPES)
def test_what_shares_a_scale(name, tmp_path):
    found = check(SHAPES[name](), tmp_path)
    assert found is not None, "LiteRT refuses it"
    assert found <= TOLERANCE


def test_not_a_number_is_survived(tmp_path):
    """What the runtime makes of it is undefined; only the other image must stay as it is."""
    raw = conv(16, 3, 8, 1)
    path = tmp_path / "model.tflite"
    path.write_bytes(raw)
    x = graph_builder.weights(2, 8, 8, 8, seed=5)
    whole = test_execute.execute(path, [x], tmp_path)[1][0]
    for bad in (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-44):
        spoilt = x.copy()
        spoilt[0, 2, 3, 4] = bad
        assert np.array_equal(test_execute.execute(path, [spoilt], tmp_path)[1][0][1], whole[1])
