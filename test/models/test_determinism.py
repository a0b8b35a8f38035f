# SPDX-License-Identifier: Apache-2.0
"""The same input and recipe give the same bytes, however the work is done."""

import pytest

import tool


@pytest.mark.parametrize("recipe", tool.QUANTIZING)
def test_bytes_do_not_depend_on_threads_or_runs(corpus_model, recipe):
    name, path = corpus_model
    first = tool.quantize(path, recipe)
    assert first.code in (tool.DONE, tool.UNCHANGED), first.message
    ways = (("-T", "1"), ("-T", "2"), ("-T", "2", "-q"))
    for more in ways[:1] if recipe in tool.RUNNING else ways:
        again = tool.quantize(path, recipe, *more)
        assert again.code == first.code, again.message
        same = again.raw == first.raw
        assert same, f"{' '.join(more)} gives other bytes"


def test_dry_run_tells_the_exact_size(corpus_model):
    name, path = corpus_model
    real = tool.expect(path, "dynamic_wi8_afp32")
    dry = tool.quantize(path, "dynamic_wi8_afp32", "--dry-run")
    assert dry.code == real.code, dry.message
    assert dry.raw == b"", "a dry run wrote a file"
    if real.changed:
        size = len(real.raw)
        assert dry.report["totals"]["file_bytes_after"] == size
    assert dry.report["entries"] == real.report["entries"], "the decisions differ"
