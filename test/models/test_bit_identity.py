# SPDX-License-Identifier: Apache-2.0
"""For the int8 recipes the library's tensors are litert-quantizer's, bit by bit."""

import numpy as np
import pytest

import hygiene
import reference
import schema
import tool

# (model, tensor name): why litert-quantizer's result is not wanted there.
NOT_WANTED = {}
# (model, tensor name): why the library quantizes what litert-quantizer leaves.
IMPROVED = {}


def identity(model, tensor):
    """All that makes a quantized constant: bytes, scales, zero points, dimension, shape."""
    scales = schema.scales(tensor)
    zero_points = schema.zero_points(tensor)
    axis = tensor.quantization.quantizedDimension
    return model.data(tensor.buffer), scales.tobytes(), tuple(zero_points), axis, tuple(schema.listed(tensor.shape))


def quantized(model):
    """(subgraph, tensor index, tensor) of the int8 constants with scales."""
    for s, graph in enumerate(model.t.subgraphs):
        for i, t in enumerate(graph.tensors):
            if t.type == schema.INT8 and len(schema.scales(t)) and model.is_constant(t):
                yield s, i, t


def describe_difference(a, b):
    parts = ("bytes", "scales", "zero points", "dimension", "shape")
    wrong = [name for name, x, y in zip(parts, a, b) if x != y]
    details = ""
    if "scales" in wrong:
        x, y = np.frombuffer(a[1], np.float32), np.frombuffer(b[1], np.float32)
        details = f" ({len(y)} scales, want {len(x)}; first {y[0]!r}, want {x[0]!r})"
    elif "bytes" in wrong and len(a[0]) == len(b[0]):
        details = f" ({sum(p != q for p, q in zip(a[0], b[0]))} of {len(a[0])} values)"
    return ", ".join(wrong) + details


@pytest.mark.parametrize("recipe", reference.RECIPES)
def test_tensors_are_bit_identical(corpus_model, recipe, notes):
    name, path = corpus_model
    raw = path.read_bytes()
    result, failure = reference.quantize(raw, recipe)
    if result is None:
        pytest.skip(f"litert-quantizer can't: {failure[:100]}")
    original, theirs = schema.Model(raw), schema.Model(result)
    output = tool.expect(path, recipe)
    problems = check(name, original, theirs, output)
    assert not problems, "\n".join(problems[:20])


def check(name, original, theirs, output):
    """What differs, as readable lines; what the two tables above name is left out."""
    problems = []
    mine = {}
    for s, _, t in quantized(output.model):
        mine.setdefault(s, []).append((schema.text(t.name), identity(output.model, t)))
    before = {(s, schema.text(t.name)) for s, _, t in quantized(original)}
    wanted = {}
    for s, i, t in quantized(theirs):
        tensors = original.t.subgraphs[s].tensors
        known = i < len(tensors)
        label = schema.text(tensors[i].name) if known else schema.text(t.name).rsplit("_duplicated_", 1)[0]
        if (s, label) in before:
            continue
        wanted.setdefault(s, []).append((label, identity(theirs, t)))
    for s, entries in wanted.items():
        for label, want in entries:
            have = [x for n, x in mine.get(s, []) if n == label]
            if want in have or (name, label) in NOT_WANTED:
                continue
            reason = left_alone(output, s, label)
            if have:
                problems.append(f"subgraph {s}, {label!r}: {describe_difference(want, have[0])}")
            elif not justified(original, output, s, label, reason, want):
                problems.append(f"subgraph {s}, {label!r} is not quantized (reason {reason})")
    for s, entries in mine.items():
        for label, have in entries:
            if (s, label) in before or (name, label) in IMPROVED:
                continue
            if all(n != label for n, _ in wanted.get(s, [])):
                problems.append(f"subgraph {s}, {label!r} is quantized, litert-quantizer leaves it")
    return problems


def left_alone(output, s, label):
    """The reason that the report gives for a constant."""
    for entry in output.report.get("entries", []):
        if entry["subgraph"] == s and entry["name"] == label and entry["verdict"] != "quantized":
            return entry["reason"]
    return None


def justified(original, output, s, label, reason, want):
    """Whether a reason that the report gives for leaving a constant alone is true."""
    graph = original.t.subgraphs[s]
    places = [i for i, t in enumerate(graph.tensors) if schema.text(t.name) == label]
    if reason == "NOT_SMALLER":
        # int8 data, a float scale and a 64-bit zero point for each, against the data as stored.
        sources = [stored_source(original, s, i) for i in places]
        return any(len(want[0]) + 12 * len(want[2]) + 16 >= len(original.data(t.buffer)) for t in sources)
    if reason == "SPARSE_IS_SMALLER":
        return any(stored_source(original, s, i).sparsity is not None for i in places)
    if reason in ("RUNTIME_REFUSES", "NOT_COVERED"):
        return any(runtime_refuses(original, s, i) for i in places)
    if reason == "FLOAT_USE":
        return any(read_as_float(original, s, i) for i in places)
    return False


def stored_source(original, s, index):
    """The constant behind DEQUANTIZE and DENSIFY."""
    graph = original.t.subgraphs[s]
    while True:
        maker = [o for o in schema.listed(graph.operators) if index in schema.listed(o.outputs)]
        if not maker or original.op_name(maker[0]) not in ("DEQUANTIZE", "DENSIFY"):
            return graph.tensors[index]
        index = int(maker[0].inputs[0])


def runtime_refuses(original, s, index):
    """int8 as the left side of BATCH_MATMUL has no kernel; litert-quantizer's result does not load."""
    for op in schema.listed(original.t.subgraphs[s].operators):
        inputs = schema.listed(op.inputs)
        if original.op_name(op) == "BATCH_MATMUL" and inputs[0] == index:
            return True
    return False


def read_as_float(original, s, index):
    """Whether an operator reads the constant elsewhere than as its weights: litert-quantizer then stores it
    twice, as int8 and as float, and the file grows."""
    for op in schema.listed(original.t.subgraphs[s].operators):
        place = hygiene.WEIGHT_INPUT.get(original.op_name(op))
        if any(t == index and i != place for i, t in enumerate(schema.listed(op.inputs))):
            return True
    return False
