# SPDX-License-Identifier: Apache-2.0
"""int4 in blocks of 32: codes, scales, and that LiteRT computes with them, with XNNPACK and without."""

import functools
import json

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tfl

import constants
import edge_models
import litert
import places
import reference
import schema
import test_execute
import tool
from graph_builder import Builder, weights

RECIPE, BLOCK = "dynamic_wi4b32_afp32", 32
SMALLEST = 2.0**-14  # of the normal numbers of float16
RUNTIMES = pytest.mark.parametrize("runtime", ["xnnpack", "builtin"])


# ---- models ----


def fully_connected(w, rows=4, bias=True, make=lambda g, w: g.const("w", w), lead=None, **options):
    b = Builder()
    g = b.graph("main")
    lead = lead or [rows]
    x = g.tensor("x", [*lead, w.shape[1]])
    y = g.tensor("y", [*(lead if options.get("keepNumDims") else [int(np.prod(lead))]), w.shape[0]])
    g.fc(x, make(g, w), y, g.const("b", 2 * weights(w.shape[0], seed=9)) if bias else -1, **options)
    g.io([x], [y])
    b.signature("serve", g)
    return b.pack()


def lookup(table, ids=5):
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("ids", [ids], np.int32), g.tensor("y", [ids, table.shape[1]])
    g.op("EMBEDDING_LOOKUP", [x, g.const("w", table)], [y])
    g.io([x], [y])
    return b.pack()


def tied(w):
    b = Builder()
    g = b.graph("main")
    x, e, y = g.tensor("ids", [3], np.int32), g.tensor("e", [3, w.shape[1]]), g.tensor("y", [3, w.shape[0]])
    table = g.const("w", w)
    g.op("EMBEDDING_LOOKUP", [x, table], [e])
    g.fc(e, table, y)
    g.io([x], [y])
    return b.pack()


def two_inputs(w):
    b = Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [2, w.shape[1]]), g.tensor("y", [2, w.shape[0]])
    g.op("FULLY_CONNECTED", [x, g.const("w", w)], [y], tfl.FullyConnectedOptionsT())
    g.io([x], [y])
    return b.pack()


def half(g, w):
    return g.dequantize("w", w)


def with_zero_block(w):
    w[1, :BLOCK] = 0
    return w


def uneven(w):
    """Rows of very different magnitudes: some below what float16 scales can be."""
    return w * np.float32(10.0) ** -(np.arange(len(w), dtype=np.float32)[:, None] % 8)


W = functools.partial(weights, seed=3)
# {name: model}; the weights are called "w".
GOOD = {
    "plain": lambda: fully_connected(W(16, 64)),
    "smallest": lambda: fully_connected(W(4, 32)),
    "one_input_row": lambda: fully_connected(W(33, 160), rows=1),
    "no_bias": lambda: fully_connected(W(16, 96), bias=False),
    "two_inputs": lambda: two_inputs(W(7, 64)),
    "rank_3": lambda: fully_connected(W(9, 64), lead=[2, 3]),
    "rank_3_kept": lambda: fully_connected(W(9, 64), lead=[2, 3], keepNumDims=True),
    "asymmetric_inputs": lambda: fully_connected(W(16, 64), asymmetricQuantizeInputs=True),
    "several_tiles": lambda: fully_connected(W(1100, 1024)),
    "half": lambda: fully_connected(W(16, 64), make=half),
    "half_several_tiles": lambda: fully_connected(W(2100, 1024), make=half),
    "zero_block": lambda: fully_connected(with_zero_block(W(16, 64))),
    "all_zero": lambda: fully_connected(0 * W(16, 64)),
    "uneven": lambda: fully_connected(uneven(W(16, 64))),
    "lookup": lambda: lookup(W(100, 64)),
    "lookup_of_one": lambda: lookup(W(1, 32)),
    "tied": lambda: tied(W(40, 64)),
}
# {name: (model, reason)}: what stays float.
LEFT = {
    "fused_activation": (lambda: fully_connected(W(16, 64), fusedActivationFunction=1), "RUNTIME_REFUSES"),
    "three_rows": (lambda: fully_connected(W(3, 64)), "RUNTIME_REFUSES"),
    "broken_blocks": (lambda: fully_connected(W(16, 48)), "RUNTIME_REFUSES"),
    "broken_blocks_of_lookup": (lambda: lookup(W(16, 48)), "RUNTIME_REFUSES"),
    "tied_three_rows": (lambda: tied(W(3, 64)), "RUNTIME_REFUSES"),
    "tiny": (lambda: fully_connected(1e-4 * W(16, 64)), "OUT_OF_RANGE"),
    "huge": (lambda: fully_connected(1e6 * W(16, 64)), "OUT_OF_RANGE"),
    "infinite": (lambda: edge_models.MODELS["infinity_in_weights"](), "NOT_FINITE"),
    "no_number": (lambda: edge_models.MODELS["not_a_number_in_weights"](), "NOT_FINITE"),
    "convolution": (lambda: edge_models.MODELS["conv_with_bias"](), "NOT_COVERED"),
}


def stored(name, make):
    path = places.CACHE / "int4" / f"{name}.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(make())
    return path


# ---- the numbers, written down once more ----


def expected(values):
    """(codes, scales) of weights [rows, columns]."""
    blocks = values.astype(np.float32).reshape(-1, BLOCK)
    scales = np.maximum(np.abs(blocks).max(-1), np.float32(1e-9)) / np.float32(7)
    bits = scales.view(np.uint32)
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)  # to bfloat16, half to even
    scales = np.maximum(bits.view(np.float32).astype(np.float16), np.float16(SMALLEST))
    codes = np.clip(np.rint(blocks / scales.astype(np.float32)[:, None]), -8, 7).astype(np.int8)
    return codes.reshape(values.shape), scales.reshape(len(values), -1)


def quantized(model):
    """(subgraph, tensor, codes, scales) of what is int4 in blocks."""
    for s, graph in enumerate(model.t.subgraphs):
        for t in graph.tensors:
            if t.type == schema.INT4 and schema.blocks(t):
                codes = schema.nibbles(model.data(t.buffer)).reshape(schema.listed(t.shape))
                yield s, t, codes, model.values(graph.tensors[schema.blocks(t).scales])


def float_values(raw, s, name):
    """Of constants with this name in the folded model."""
    model = schema.Model(reference.folded_path(raw).read_bytes())
    for t in model.t.subgraphs[s].tensors:
        if schema.text(t.name) == name and model.is_constant(t) and t.type == schema.FLOAT32:
            yield constants.values(model, t)[0]


def check_numbers(raw, output):
    """The number of weights that were compared."""
    before = {schema.text(t.name) for _, t, _, _ in quantized(schema.Model(raw))}
    compared = 0
    for s, t, codes, scales in quantized(output.model):
        name = schema.text(t.name)
        if name in before:
            continue
        wanted = [expected(v) for v in float_values(raw, s, name)]
        same = [np.array_equal(c, codes) and np.array_equal(d, scales) for c, d in wanted]
        assert any(same), f"{name!r}: other codes or scales than the formula gives"
        compared += codes.size
    return compared


def check_theirs(raw, output):
    """litert-quantizer's own codes and scales, where its scales can be used; the number of weights."""
    result, failure = reference.quantize(raw, RECIPE)
    if result is None:
        pytest.skip(f"litert-quantizer can't: {failure[:100]}")
    theirs = schema.Model(result)
    mine = {(s, schema.text(t.name)): (t, codes, scales) for s, t, codes, scales in quantized(output.model)}
    old = {(s, schema.text(t.name)) for s, t, _, _ in quantized(schema.Model(raw))}
    reasons = {(e["subgraph"], e["name"]): e["reason"] for e in output.report["entries"]}
    compared = 0
    for s, t, codes, scales in quantized(theirs):
        place = (s, schema.text(t.name))
        if place in old:
            continue
        if place not in mine:
            assert reasons[place] in ("RUNTIME_REFUSES", "OUT_OF_RANGE", "FLOAT_USE", "GRAPH_BOUNDARY"), place
            continue
        tensor, my_codes, my_scales = mine.pop(place)
        usable = scales.astype(np.float32) >= SMALLEST
        assert np.array_equal(my_scales[usable], scales[usable]) and (my_scales[~usable] == SMALLEST).all(), place
        same = (my_codes == codes).reshape(-1, BLOCK).all(-1)
        assert same[usable.reshape(-1)].all(), place
        ours, details = schema.blocks(tensor), schema.blocks(t)
        assert (ours.blockSize, ours.zeroPoints) == (details.blockSize, details.zeroPoints), place
        assert tensor.quantization.quantizedDimension == t.quantization.quantizedDimension, place
        compared += my_codes.size
    assert not set(mine) - old, f"litert-quantizer leaves {set(mine) - old}"
    return compared


def test_numbers_in_corpus(corpus_model, notes):
    name, path = corpus_model
    raw, output = path.read_bytes(), tool.expect(path, RECIPE)
    if not output.changed:
        pytest.skip("nothing in it becomes int4")
    compared = check_numbers(raw, output)
    assert compared > 0
    theirs = check_theirs(raw, output)
    notes.append(f"int4: {name}: {compared} weights as the formula, {theirs} as litert-quantizer")


STORED_OTHERWISE = (
    "sparse_behind_densify", "sparse_half_behind_densify", "half_used_by_two_dequantize", "buffer_shared_by_tensors",
    "while_body_with_weights", "buffers_behind_the_flatbuffer",
)


@pytest.mark.parametrize("name", [*GOOD, *STORED_OTHERWISE])
def test_numbers(name):
    path = stored(name, GOOD.get(name) or edge_models.MODELS[name])
    raw, output = path.read_bytes(), tool.expect(path, RECIPE)
    assert check_numbers(raw, output) > 0
    check_theirs(reference.folded_path(raw).read_bytes(), output)


# ---- in the runtime ----


@RUNTIMES
@pytest.mark.parametrize("name", GOOD)
def test_runs_as_litert_quantizers(name, runtime):
    """The same outputs as from litert-quantizer's model, bit for bit; where that has a scale of 0, good ones."""
    path = stored(name, GOOD[name])
    raw, output = path.read_bytes(), tool.expect(path, RECIPE)
    before = litert.run(raw, runtime == "xnnpack")
    after = litert.run(output.raw, runtime == "xnnpack", before)
    assert litert.runs(after), litert.says(after)
    assert after["results"] == before["results"] and after["inputs"] == before["inputs"]
    snr = litert.snr(before, after)
    assert snr > 17, f"{snr:.1f} dB"
    theirs = schema.Model(reference.quantize(raw, RECIPE)[0])
    if all((scales.astype(np.float32) >= SMALLEST).all() for _, _, _, scales in quantized(theirs)):
        same = litert.run(theirs.raw, runtime == "xnnpack", before) if any(quantized(theirs)) else after
        assert litert.equal(same, after), "litert-quantizer's model computes otherwise"


@pytest.mark.parametrize("name", LEFT)
def test_stays_float(name):
    make, reason = LEFT[name]
    output = tool.expect(stored(name, make), RECIPE)
    entry = next(e for e in output.report["entries"] if e["name"] == "w")
    assert (entry["verdict"], entry["reason"]) == ("kept", reason)
    assert not output.changed


@pytest.mark.parametrize("name", ["fused_activation", "three_rows"])
def test_what_is_refused_would_be_wrong(name):
    """litert-quantizer's model of it computes garbage in the builtin kernels."""
    raw = LEFT[name][0]()
    result, failure = reference.quantize(raw, RECIPE)
    assert result is not None, failure
    before = litert.run(raw, False)
    assert litert.snr(before, litert.run(result, False, before)) < 5


# ---- what is said about it ----


def test_report_and_inspection():
    output = tool.expect(stored("plain", GOOD["plain"]), RECIPE)
    entry = next(e for e in output.report["entries"] if e["name"] == "w")
    assert (entry["to_type"], entry["scales"], entry["bytes_after"]) == ("INT4", 32, 16 * 64 // 2 + 32 * 2)
    w, (codes, scales) = W(16, 64), expected(W(16, 64))
    error = w - codes * np.repeat(scales.astype(np.float64), BLOCK, -1)
    assert abs(entry["snr_db"] - 10 * np.log10(np.sum(w.astype(np.float64) ** 2) / np.sum(error**2))) < 1e-3
    totals = output.report["totals"]
    stored_bytes = sum(len(output.model.data(i)) for i in range(len(output.model.t.buffers)))
    assert totals["constant_bytes_after"] == stored_bytes
    path = places.CACHE / "int4" / "out.tflite"
    path.write_bytes(output.raw)
    said = tool.run("inspect", path, "--json").stdout
    tensors = {t["name"]: t for t in json.loads(said)["subgraphs"][0]["tensors"]}
    assert tensors["w"]["quantization"] == {"dimension": 0, "scales": 32, "block_size": 32}
    assert tensors["w_scales"]["quantization"] is None
    assert (tensors["w_scales"]["type"], tensors["w_scales"]["shape"]) == ("FLOAT16", [16, 2])
    again = tool.expect(path, RECIPE)
    assert not again.changed
    assert {e["reason"] for e in again.report["entries"] if e["name"] == "w"} == {"QUANTIZED_ALREADY"}


def test_runtime_version_is_raised():
    output = tool.expect(stored("versions", edge_models.MODELS["fully_connected_with_signature"]), RECIPE)
    notes = {schema.text(m.name): output.model.data(m.buffer) for m in output.model.t.metadata}
    assert schema.release(notes["min_runtime_version"]) == (2, 21, 0)


@pytest.mark.skipif(not test_execute.PROGRAM.exists(), reason="the executor is not built")
@pytest.mark.parametrize("name", ["plain", "rank_3_kept", "zero_block", "lookup", "tied"])
def test_executor_computes_what_the_runtime_does(name, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(tool.expect(stored(name, GOOD[name]), RECIPE).raw)
    answer = litert.run(path.read_bytes(), True)
    report, (got,) = test_execute.execute(path, test_execute.inputs_like(answer), tmp_path)
    assert report["refused"] == []
    assert test_execute.difference(answer["outputs"][""][0], got) < test_execute.TOLERANCE
