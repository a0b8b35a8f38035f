# SPDX-License-Identifier: Apache-2.0
"""Composites run as their decomposition, and what a model asks of the executor has bounds."""

import time

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tfl

import edge_models
import graph_builder
import litert
import test_execute
import test_hybrid

DEEPEST = 4  # composites in one another

pytestmark = [
    pytest.mark.no_tool,
    pytest.mark.skipif(not test_execute.PROGRAM.exists(), reason="the executor is not built"),
]


def run(raw, inputs, folder, *more):
    path = folder / "model.tflite"
    path.write_bytes(raw)
    return test_execute.execute(path, inputs, folder, *more)


def composite(g, inputs, outputs, body):
    options = tfl.StableHLOCompositeOptionsT(name="my.block", decompositionSubgraphIndex=body, version=1)
    g.op(
        "STABLEHLO_COMPOSITE", inputs, outputs, builtinOptions2=options,
        builtinOptions2Type=tfl.BuiltinOptions2.StableHLOCompositeOptions,
    )


def chain(bodies, each=1, shape=(2, 3)):
    """Subgraph i calls subgraph bodies[i] `each` times, or is a RELU where that is None."""
    b = graph_builder.Builder()
    for i, body in enumerate(bodies):
        g = b.graph("main" if i == 0 else f"body_{i}")
        tensors = [g.tensor(f"t{i}_{j}", shape) for j in range(each + 1)]
        for x, y in zip(tensors, tensors[1:]):
            if body is None:
                g.op("RELU", [x], [y])
            else:
                composite(g, [x], [y], body)
        g.io([tensors[0]], [tensors[-1]])
    return b.pack()


X = np.array([[-1, 2, -3], [4, -5, 6]], np.float32)


def test_what_follows_a_composite(tmp_path):
    """The whole graph has values, as LiteRT has them."""
    raw = test_hybrid.corpus("sdpa_composite").read_bytes()
    answer = litert.run(raw, False)
    report, outputs = run(raw, test_execute.inputs_like(answer), tmp_path)
    assert not report["refused"] and report["starved"] == 0
    for want, got in zip(answer["outputs"][""], outputs, strict=True):
        assert test_execute.difference(want, got) <= test_execute.TOLERANCE


@pytest.mark.parametrize("depth", range(1, DEEPEST + 3))
def test_composites_in_one_another(depth, tmp_path):
    report, (got,) = run(chain([*range(1, depth + 1), None]), [X], tmp_path)
    if depth <= DEEPEST:
        assert np.array_equal(got, np.maximum(X, 0))
    else:
        assert got is None and "too deep" in report["refusal"]


@pytest.mark.parametrize("bodies", [[1, 1], [1, 2, 1], [0], [1, 0]])
def test_cycles_are_refused(bodies, tmp_path):
    report, (got,) = run(chain(bodies), [X], tmp_path)
    assert got is None and "too deep" in report["refusal"]


def test_many_composites_end_soon(tmp_path):
    """300 in each of 300 and so on: 10^10 runs, if nobody counted."""
    start = time.monotonic()
    report, (got,) = run(chain([1, 2, 3, 4, None], 300), [X], tmp_path, "--work", 1 << 38)
    assert got is None and "too much work" in report["refusal"]
    assert time.monotonic() - start < 100


@pytest.mark.parametrize("body", [-1, 2, 1 << 30])
def test_no_such_subgraph(body, tmp_path):
    report, (got,) = run(chain([body, None]), [X], tmp_path)
    assert got is None and "subgraph" in report["refusal"]


@pytest.mark.parametrize(
    "change",
    [
        lambda main, body: setattr(body, "inputs", []),
        lambda main, body: setattr(body, "outputs", []),
        lambda main, body: setattr(main.operators[0], "inputs", [0, 0]),
        lambda main, body: setattr(main.operators[0], "inputs", [-1]),
        lambda main, body: setattr(body.tensors[body.inputs[0]], "shape", [2, 4]),
        lambda main, body: setattr(body.tensors[body.inputs[0]], "shape", [6]),
        lambda main, body: setattr(body.tensors[body.inputs[0]], "type", tfl.TensorType.INT32),
        lambda main, body: setattr(body.tensors[body.inputs[0]], "type", tfl.TensorType.INT8),
        lambda main, body: setattr(main.operators[0], "builtinOptions2", None),
    ],
)
def test_composites_that_do_not_fit(change, tmp_path):
    model = tfl.ModelT.InitFromObj(tfl.Model.GetRootAs(chain([1, None]), 0))
    change(*model.subgraphs)
    if model.subgraphs[0].operators[0].builtinOptions2 is None:
        model.subgraphs[0].operators[0].builtinOptions2Type = 0
    report, (got,) = run(test_hybrid.schema.pack(model), [X], tmp_path)
    assert got is None and report["refused"] == [[0, "STABLEHLO_COMPOSITE"]]


def resize(size):
    b = graph_builder.Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [1, 2, 2, 1]), g.tensor("y", [1, 2, 2, 1])
    g.op(
        "RESIZE_BILINEAR", [x, g.const("size", np.array(size, np.int32))], [y], tfl.ResizeBilinearOptionsT(), version=3
    )
    g.io([x], [y])
    return b.pack()


def test_absurd_shapes_are_refused(tmp_path):
    x = np.ones((1, 2, 2, 1), np.float32)
    report, (got,) = run(resize([20000, 20000]), [x], tmp_path)
    assert got is None and "too large" in report["refusal"]
    report, (got,) = run(resize([2000, 2000]), [x], tmp_path)
    assert got is not None and got.shape == (1, 2000, 2000, 1)
    report, (got,) = run(resize([200, 200]), [x], tmp_path, "--elements", 200 * 200 - 1)
    assert got is None and "too large" in report["refusal"]


# Multiply-adds of each of these, and the smallest budget that lets it run is hardly more.
WORK = {
    "conv_with_bias": 64 * 16 * 72,
    "conv_grouped": 64 * 16 * 36,
    "depthwise_with_bias": 64 * 8 * 25,
    "transpose_conv": 64 * 16 * 8 * 9 // 4,
    "batch_matmul_right_constant": None,
    "fully_connected_with_signature": None,
}


@pytest.mark.parametrize("name", WORK)
def test_work_is_counted(name, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(edge_models.MODELS[name]())
    inputs = test_execute.inputs_like(litert.run(path.read_bytes(), False))
    low, high = 1, 1 << 32
    while high - low > 1:
        middle = (low + high) // 2
        report, _ = test_execute.execute(path, inputs, tmp_path, "--work", middle)
        assert not report["refused"] or "too much work" in report["refusal"]
        low, high = (middle, high) if report["refused"] else (low, middle)
    if WORK[name]:
        assert WORK[name] <= high <= 4 * WORK[name] + 16 * 64 * 16
    else:
        assert high > 100
