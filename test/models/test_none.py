# SPDX-License-Identifier: Apache-2.0
"""Recipe `none` takes a model through the whole line and changes nothing."""

import pytest

import invariants
import litert
import schema
import tool


def test_copy_is_equal_field_by_field(corpus_model):
    name, path = corpus_model
    original = schema.Model.read(path)
    output = tool.expect(path, "none")
    differences = schema.compare(original, output.model)
    assert not differences, "\n".join(differences[:20])
    assert invariants.same_tail(original, output.model), "bytes behind the flatbuffer changed"


@pytest.mark.parametrize("xnnpack", [True, False], ids=["xnnpack", "builtin"])
def test_copy_computes_the_same_bits(corpus_model, xnnpack):
    name, path = corpus_model
    before = litert.run(path.read_bytes(), xnnpack)
    after = litert.run(tool.expect(path, "none").raw, xnnpack, before)
    if litert.runs(before):
        failure = "" if litert.runs(after) else litert.says(after)
        assert not failure
        same = litert.equal(before, after)
        assert same, "the outputs differ"
    else:
        assert after["stage"] == before["stage"], f"{litert.says(before)} became {litert.says(after)}"
