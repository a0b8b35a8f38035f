# SPDX-License-Identifier: Apache-2.0
"""The recipe `int8` on blocks that no model of the corpus has: it is no worse than plain rounding."""

import numpy as np
import pytest

import block_models
import schema
import test_int8
import tool

LOSS = 1.0  # dB, of what the choice of inputs alone moves
CASES = list(block_models.MODELS)


def features(shape, count=6):
    """Of sound: each band goes on from one time to the next."""
    for seed in range(count):
        steps = np.random.default_rng(seed).standard_normal(shape)
        made = np.zeros(shape)
        for t in range(shape[1]):
            made[:, t] = 0.8 * made[:, t - 1] + 0.6 * steps[:, t]
        yield made.astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_is_no_worse_than_plain_rounding(name, tmp_path, notes):
    raw = block_models.MODELS[name]()
    path = tmp_path / "in.tflite"
    path.write_bytes(raw)
    graph = schema.Model(raw).t.subgraphs[0]
    shape = schema.listed(graph.tensors[int(graph.inputs[0])].shape)
    inputs = test_int8.pictures(shape) if len(shape) == 4 else list(features(shape))
    reference = test_int8.outputs(raw, inputs)
    found = {}
    for recipe in ("weight_only_wi8_afp32", "int8"):
        output = tool.expect(path, recipe, "--effort", "normal")
        assert output.changed and len(output.raw) < 0.35 * len(raw)
        found[recipe] = test_int8.worst(reference, test_int8.outputs(output.raw, inputs))
    plain, int8 = found.values()
    notes.append(f"{name}: int8 {int8:.1f} dB, rounded plainly {plain:.1f} dB")
    assert int8 > plain - LOSS
