# SPDX-License-Identifier: Apache-2.0
"""The float executor gives what LiteRT gives, and says of each model what it can't run."""

import functools
import json
import struct
import subprocess

import numpy as np
import pytest

import edge_models
import litert
import litert_worker
import models
import places

PROGRAM = places.BUILD / "test" / "execute" / "execute_model"
TOLERANCE = 1e-4  # of the largest magnitude of the output
NUMPY = {"FLOAT32": np.float32, "INT32": np.int32, "INT64": np.int64, "BOOL": np.bool_}
EVERY_LEVEL, NO_LEVEL = 0, 7
HEAD = f"{'executor: model':56} {'ms':>8} {'largest difference':>18}"

# Of models that the runtime runs: the operators that the executor refuses, by the model's own name.
REFUSED = {
    "fallback_model": ["SCATTER_ND"],
    "simple_scatter_nd_op": ["SCATTER_ND"],
    "simple_atan2_op": ["ATAN2"],
    "variable_tensor": ["SVDF"],
    "if_branches_with_weights": ["IF"],
    "while_body_with_weights": ["WHILE"],
    # an activation function that the schema does not have
    "unknown_enum_values": ["FULLY_CONNECTED"],
    # text
    "gather_string": ["GATHER"],
    # quantized activations
    "conv_fc_mnist_srq_a8w8": ["AVERAGE_POOL_2D", "CONV_2D", "FULLY_CONNECTED", "RESHAPE", "SOFTMAX"],
    "insert_dequant_test": ["ADD", "CONV_2D", "QUANTIZE", "SUB"],
    "partly_quantized_mnist": ["DEQUANTIZE", "FULLY_CONNECTED", "QUANTIZE"],
    "matmul_quant": ["BATCH_MATMUL", "CONCATENATION", "QUANTIZE"],
    "mul_quant": ["MUL"],
    "simple_quantized_ops": ["ADD", "MUL"],
    "single_add_default_a16w8_recipe_quantized": ["ADD"],
    "single_add_default_a8w8_recipe_quantized": ["ADD"],
    "single_mul_default_a16w8_recipe_quantized": ["MUL"],
    "single_mul_default_a8w8_recipe_quantized": ["MUL"],
    "single_rsqrt_default_a16w8_recipe_quantized": ["RSQRT"],
    "single_rsqrt_default_a8w8_recipe_quantized": ["RSQRT"],
    "static_w8_a16_quantized_attn_vec_einsum": ["BATCH_MATMUL", "RESHAPE"],
    "static_w8_a16_quantized_q_einsum": ["BATCH_MATMUL", "RESHAPE"],
    "static_w8_a16_quantized_v_einsum": ["BATCH_MATMUL", "RESHAPE"],
    "two_signatures_a8w8": ["ADD"],
}
# Weights that are quantized and read as such: the runtime then rounds the activations too, and the
# executor as the runtime does it with XNNPACK (see test_hybrid.py).
HYBRID = ["qwen_fc_blockwise_quantized", "already_quantized"]

pytestmark = [
    pytest.mark.no_tool,
    pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM.name} is not built"),
]


@functools.cache
def edge_path(name):
    path = places.CACHE / "edge" / f"{name}.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(edge_models.MODELS[name]())
    return path


def write(path, values):
    path.write_bytes(struct.pack(f"<{1 + values.ndim}i", values.ndim, *values.shape) + values.tobytes())


def read(path, kind):
    raw = path.read_bytes()
    (rank,) = struct.unpack_from("<i", raw)
    shape = struct.unpack_from(f"<{rank}i", raw, 4)
    return np.frombuffer(raw, NUMPY[kind], offset=4 + 4 * rank).reshape(shape)


def execute(path, inputs, folder, *more):
    """(what the program says, the outputs: None where it has none)"""
    for i, values in enumerate(inputs):
        if values.dtype in NUMPY.values():
            write(folder / f"input_{i}.bin", values)
    command = [str(PROGRAM), str(path), str(folder), *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr}"
    report = json.loads(done.stdout)
    outputs = []
    for i, kind in enumerate(o["type"] for o in report["outputs"]):
        outputs.append(None if kind == "MISSING" else read(folder / f"output_{i}.bin", kind))
    return report, outputs


def inputs_like(answer):
    """The inputs that LiteRT got for this answer."""
    made = []
    for i, (name, kind, shape, signature) in enumerate(answer["inputs"]):
        details = {"dtype": np.dtype(kind), "shape": np.array(shape, np.int64)}
        made.append(litert_worker.inputs_for(details, i, answer["way"]))
    return made


def difference(want, got):
    """Of the largest magnitude; what is no number has to be the same. The runtime clips
    infinity to the largest float32 in some operators."""
    assert want.shape == got.shape, f"shape {got.shape}, the runtime has {want.shape}"
    assert want.dtype == got.dtype, f"type {got.dtype}, the runtime has {want.dtype}"
    w, g = want.astype(np.float64), got.astype(np.float64)
    if want.dtype == np.float32:
        limit = np.finfo(np.float32).max
        w, g = np.clip(w, -limit, limit), np.clip(g, -limit, limit)
    number = ~np.isnan(w)
    assert np.array_equal(w[~number], g[~number], equal_nan=True), "other values are not numbers"
    if not number.any():
        return 0.0
    most = np.abs(w[number]).max()
    return np.abs(w[number] - g[number]).max() / (most or 1.0)


def check(name, path, tmp_path, notes):
    own_name = name.rsplit("/", 1)[-1]
    answer = litert.run(path.read_bytes(), own_name in HYBRID)
    if not litert.runs(answer):
        pytest.skip(f"LiteRT does not run it: {litert.says(answer)[:100]}")
    inputs = inputs_like(answer)
    report, outputs = execute(path, inputs, tmp_path, "--disable", EVERY_LEVEL)
    refused = sorted({operator for _, operator in report["refused"]})
    worst = 0.0
    for want, got in zip(answer["outputs"][""], outputs, strict=True):
        if got is not None:
            worst = max(worst, difference(want, got))
    missing = f"   can't run {', '.join(refused)}" if refused else ""
    lacking = sum(o is None for o in outputs)
    missing += f"   {lacking} of {len(outputs)} outputs missing" if lacking else ""
    if HEAD not in notes:
        notes.append(HEAD)
    notes.append(f"{name:56} {1e3 * report['seconds']:8.2f} {worst:18.1e}{missing}")
    assert worst <= TOLERANCE
    expected = REFUSED.get(own_name, [])
    assert refused == expected, report["refusal"]
    if not refused:
        assert not lacking, "an output is missing, though every operator ran"
    scalar = execute(path, inputs, tmp_path, "--disable", NO_LEVEL, "--repeat", 2, "--keep", 1 << 30)[1]
    same = all((a is b is None) or a.tobytes() == b.tobytes() for a, b in zip(outputs, scalar))
    assert same, "other bits with scalar code"


def test_corpus_model_is_executed(corpus_model, tmp_path, notes):
    check(*corpus_model, tmp_path, notes)


@pytest.mark.parametrize("name", edge_models.MODELS)
def test_edge_model_is_executed(name, tmp_path, notes):
    check(name, edge_path(name), tmp_path, notes)
