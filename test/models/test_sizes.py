# SPDX-License-Identifier: Apache-2.0
"""How small the results are: against fixed limits, and never larger than litert-quantizer's."""

import statistics

import pytest

import models
import reference
import schema
import tool


def newly_quantized(raw, recipe):
    """Whether litert-quantizer finds something to quantize in the folded model."""
    result, _ = reference.quantize(raw, recipe)
    if result is None:
        return False
    count = lambda m: sum(len(schema.scales(t)) > 0 for g in m.t.subgraphs for t in g.tensors)
    folded = schema.Model(reference.folded_path(raw).read_bytes())
    return count(schema.Model(result)) > count(folded)


def stored_type(raw):
    """"float16" or "float32": what most of a model's float constants are. "sparse" where any is sparse."""
    model, sizes = schema.Model(raw), {}
    for graph in model.t.subgraphs:
        for t in graph.tensors:
            if t.type in (schema.FLOAT16, schema.FLOAT32):
                sizes[t.type] = sizes.get(t.type, 0) + len(model.data(t.buffer))
            if t.sparsity is not None:
                return "sparse"
    return "float16" if sizes.get(schema.FLOAT16, 0) > sizes.get(schema.FLOAT32, 0) else "float32"


@pytest.mark.parametrize("recipe", reference.RECIPES)
def test_no_larger_than_litert_quantizer(corpus_model, recipe):
    name, path = corpus_model
    raw = path.read_bytes()
    if not newly_quantized(raw, recipe):
        pytest.skip("litert-quantizer quantizes nothing in it")
    theirs, _ = reference.quantize(raw, recipe)
    output = tool.expect(path, recipe)
    assert output.changed, "litert-quantizer quantizes it, ours says that there is nothing to do"
    ours, limit = len(output.raw), len(theirs)
    assert ours <= limit, f"{ours} bytes, litert-quantizer {limit}"


@pytest.mark.parametrize("kind,limit", [("float16", 0.57), ("float32", 0.30)])
def test_median_ratio(kind, limit, notes):
    found, reason = models.find()
    recipe = "dynamic_wi8_afp32"
    ratios = {}
    for name, path in found.items():
        raw = path.read_bytes()
        if stored_type(raw) == kind and newly_quantized(raw, recipe) and len(raw) >= 16384:
            ratios[name] = len(tool.expect(path, recipe).raw) / len(raw)
    if len(ratios) < 5:
        pytest.skip(f"too few {kind} models for a median: {len(ratios)}, {reason}")
    median = statistics.median(ratios.values())
    notes.append(f"{recipe} on {len(ratios)} {kind} models: median of output/input {median:.4f}, limit {limit}")
    listing = ", ".join(f"{n} {r:.3f}" for n, r in sorted(ratios.items(), key=lambda x: x[1]))
    assert median <= limit, f"median {median:.4f}: {listing}"
