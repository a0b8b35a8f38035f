# SPDX-License-Identifier: Apache-2.0
"""Rules of a well-made file, on every model that is written."""

import pytest

import hygiene
import schema
import tool

ALWAYS = (hygiene.unaligned, hygiene.overlapping, hygiene.dangling)
WHEN_CHANGED = (
    hygiene.orphans, hygiene.stored_twice, hygiene.unused_codes, hygiene.inconsistent_codes,
    hygiene.low_versions, hygiene.bad_quantization,
)


def breaches(original, output):
    """What is wrong in a tool.Output, as readable lines."""
    if output.code == tool.UNCHANGED:
        return []  # nothing was written
    rules = ALWAYS + (WHEN_CHANGED if output.changed else ())
    found = [f"{rule.__name__}: {line}" for rule in rules for line in rule(output.model)]
    if not list(hygiene.unordered(original)):
        found += [f"unordered: {line}" for line in hygiene.unordered(output.model)]
    if output.changed:
        # What was so already, in what quantizing does not touch, stays as it is.
        for rule in (hygiene.bad_quantization, hygiene.low_versions):
            inherited = {f"{rule.__name__}: {line}" for line in rule(original)}
            found = [line for line in found if line not in inherited]
    return found


@pytest.mark.parametrize("recipe", tool.RECIPES)
def test_written_files_are_well_made(corpus_model, recipe):
    name, path = corpus_model
    found = breaches(schema.Model.read(path), tool.expect(path, recipe))
    assert not found, "\n".join(found[:20])


@pytest.mark.no_tool
def test_rules_see_breaches():
    """The rules themselves, on a model that breaks each of them."""
    import broken_model

    model = schema.Model(broken_model.build())
    silent = [rule.__name__ for rule in ALWAYS + WHEN_CHANGED + (hygiene.unordered,) if not list(rule(model))]
    assert not silent, f"these rules saw nothing: {silent}"
