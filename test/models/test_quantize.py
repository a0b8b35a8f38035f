# SPDX-License-Identifier: Apache-2.0
"""What quantizing must leave as it was, and what the result computes, on every model."""

import math

import pytest

import invariants
import litert
import reference
import schema
import snr_table
import tool

RECIPES = pytest.mark.parametrize("recipe", tool.QUANTIZING)
RUNTIMES = pytest.mark.parametrize("runtime", ["xnnpack", "builtin"])


@RECIPES
def test_graph_is_kept(corpus_model, recipe):
    name, path = corpus_model
    output = tool.expect(path, recipe)
    differences = invariants.kept(schema.Model.read(path), output.model, recipe in tool.RUNNING)
    assert not differences, "\n".join(differences[:20])


@RECIPES
def test_output_is_smaller(corpus_model, recipe):
    """But where litert-quantizer's own is larger too: the int8 recipes promise its tensors, and in a model of
    1 KB a DEQUANTIZE takes more than the weights give."""
    name, path = corpus_model
    output = tool.expect(path, recipe)
    before, after = path.stat().st_size, len(output.raw)
    if after >= before and recipe in reference.RECIPES:
        theirs, _ = reference.quantize(path.read_bytes(), recipe)
        before = max(before, len(theirs or b"") + 1)
    assert after < before or not output.changed, f"{before} bytes became {after}"


@RECIPES
@RUNTIMES
def test_runs_wherever_the_original_does(corpus_model, recipe, runtime, snr, update_tables):
    name, path = corpus_model
    output = tool.expect(path, recipe)
    before = litert.run(path.read_bytes(), runtime == "xnnpack")
    if not litert.runs(before):
        pytest.skip(f"LiteRT does not run the original: {litert.says(before)[:120]}")
    after = litert.run(output.raw, runtime == "xnnpack", before)
    failure = "" if litert.runs(after) else litert.says(after)
    assert not failure
    assert after["inputs"] == before["inputs"], "graph inputs changed"
    assert after["results"] == before["results"], "graph outputs changed"
    assert after["signatures"] == before["signatures"], "signatures changed"
    value = litert.snr(before, after)
    if not output.changed:
        assert value is None or value == math.inf, "nothing was to be changed, yet results differ"
        return
    size = len(output.raw)
    old = snr.add(name, recipe, runtime, path.stat().st_size, size, value)
    if update_tables:
        return
    assert old is not None, "not in expected/snr.csv: run `pytest --update-tables`, and review the difference"
    difference = snr_table.differs(old, size, value)
    assert not difference, difference
