# SPDX-License-Identifier: Apache-2.0
"""Sizes below that of int8, and errors that allow it: int4 in blocks, where LiteRT computes with it."""

import json
import math

import numpy as np
import pytest

import edge_models
import litert
import test_int4
import test_verify
import tool
from graph_builder import Builder, weights

# In % of the file: less than int8 needs.
SIZES = {"attn_vec_einsum": 20, "q_einsum": 20, "conv_fc_mnist": 26.35, "toy_model_with_kv_cache_multi_signature": 48}
CHANCE = 2  # dB, of some inputs against others
SETS = 12


@pytest.fixture(autouse=True)
def executor():
    if "int8 " not in tool.run("recipes").stdout:
        pytest.skip("built without what runs models")


def made_for(path, *goal):
    made = tool.quantize(path, "int8", *goal)
    assert made.code in (tool.DONE, tool.UNCHANGED), made.message
    return made


def types(made):
    return {e["name"]: e["to_type"] for e in made.report["entries"]}


def verified(path, raw, folder, *more):
    (folder / "made.tflite").write_bytes(raw)
    done, found = test_verify.verify(path, folder / "made.tflite", *more)
    assert done.returncode == tool.DONE, done.stderr
    return [math.inf if o["exact"] else o["snr_db"] for o in found["outputs"]]


@pytest.mark.parametrize("stem", SIZES)
def test_what_int8_is_too_large_for(stem, tmp_path, notes):
    path = test_verify.find(stem)
    raw, target = path.read_bytes(), path.stat().st_size * SIZES[stem] / 100
    assert len(made_for(path).raw) > target and "INT4" not in types(made_for(path)).values()
    made = made_for(path, "--target-size", f"{SIZES[stem]}%")
    totals = made.report["totals"]
    assert totals["goal"] == "reached" and len(made.raw) <= target and "INT4" in types(made).values()
    assert sum(1 for _ in test_int4.quantized(made.model)) == list(types(made).values()).count("INT4")
    found = min(verified(path, made.raw, tmp_path, "--seed", "4711", "--samples", "16"))
    shown = []
    for xnnpack in (True, False):
        before = litert.run(raw, xnnpack)
        after = litert.run(made.raw, xnnpack, before)
        assert litert.runs(after), litert.says(after)
        shown.append(litert.snr(before, after))
        assert shown[-1] > totals["output_snr_db"] - CHANCE
    if stem != "conv_fc_mnist":  # it ends in a softmax: what matters are a few samples
        assert found == pytest.approx(totals["output_snr_db"], abs=CHANCE)
    notes.append(f"int4 by size: {stem}: {totals['output_snr_db']:.1f} dB expected, {found:.1f} by verify, "
                 f"{shown[0]:.1f} in LiteRT, {shown[1]:.1f} without XNNPACK")


@pytest.mark.parametrize("stem", ["attn_vec_einsum", "conv_fc_mnist"])
def test_verify_finds_what_the_runtime_finds(stem, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    path = test_verify.find(stem)
    made = made_for(path, "--target-size", f"{SIZES[stem]}%")
    (tmp_path / "data").mkdir()
    inputs = test_verify.inputs_for(Interpreter(model_content=path.read_bytes()).get_input_details(), SETS, tmp_path / "data")
    (want,) = map(test_verify.decibels, test_verify.outputs(path.read_bytes(), inputs), test_verify.outputs(made.raw, inputs))
    (got,) = verified(path, made.raw, tmp_path, "--input", tmp_path / "data")
    assert got == pytest.approx(want, abs=CHANCE)


def test_errors_are_those_of_int4(tmp_path):
    """By layer too; rounding for what layers see is better than plain rounding."""
    path = test_int4.stored("goal", lambda: test_int4.fully_connected(weights(64, 256), rows=4))
    coarse, fine = made_for(path, "--max-error", "15dB"), made_for(path, "--max-error", "30dB")
    assert (types(coarse)["w"], types(fine)["w"]) == ("INT4", "INT8") and len(coarse.raw) < len(fine.raw)
    for made in coarse, fine:
        totals = made.report["totals"]
        entry = next(e for e in made.report["entries"] if e["name"] == "w")
        assert totals["goal"] == "reached"
        assert entry["output_snr_db"] == pytest.approx(totals["output_snr_db"], abs=CHANCE)
    (found,) = verified(path, coarse.raw, tmp_path, "--seed", "4711")
    (plain,) = verified(path, tool.expect(path, test_int4.RECIPE).raw, tmp_path, "--seed", "4711")
    assert found > plain + 0.3
    assert found == pytest.approx(coarse.report["totals"]["output_snr_db"], abs=CHANCE)


def shared(**options):
    """Two tensors of one buffer; the second operator is as `options` say."""
    b = Builder()
    g = b.graph("main")
    x, p, q = g.tensor("x", [2, 128]), g.tensor("p", [2, 64]), g.tensor("q", [2, 64])
    first = g.const("w", weights(64, 128))
    g.fc(x, first, p)
    g.fc(x, g.tensor("v", [64, 128], buffer=g.t.tensors[first].buffer), q, **options)
    g.io([x], [p, q])
    return b.pack()


def test_shared_weights_are_stored_once():
    made = made_for(test_int4.stored("shared", shared), "--target-size", "24%")
    (_, v, _, _), (_, w, _, _) = sorted(test_int4.quantized(made.model), key=lambda t: t[1].name)
    assert made.report["totals"]["goal"] == "reached" and w.buffer == v.buffer
    before = litert.run(shared(), True)
    assert litert.snr(before, litert.run(made.raw, True, before)) > 17


# What the runtime computes otherwise or what int4 has no numbers for, and for what other targets.
NEVER = {
    "other_use_refuses": (lambda: shared(fusedActivationFunction=1), ()),
    "fused_activation": (lambda: test_int4.fully_connected(weights(64, 256), fusedActivationFunction=1), ()),
    "three_rows": (lambda: test_int4.fully_connected(weights(3, 1024)), ()),
    "broken_blocks": (lambda: test_int4.fully_connected(weights(64, 240)), ()),
    "tiny": (lambda: test_int4.fully_connected(np.float32(1e-5) * weights(64, 256)), ()),
    "huge": (lambda: test_int4.fully_connected(np.float32(1e6) * weights(64, 256)), ()),
    "convolution": (lambda: edge_models.MODELS["conv_with_bias"](), ()),
    "gpu": (lambda: test_int4.fully_connected(weights(64, 256)), ("--target", "gpu")),
}


@pytest.mark.parametrize("effort", ["fast", "normal"])
@pytest.mark.parametrize("name", NEVER)
def test_missed_rather_than_wrong(name, effort):
    make, more = NEVER[name]
    made = made_for(test_int4.stored(f"never_{name}", make), "--target-size", "10%", "--effort", effort, *more)
    assert "INT4" not in types(made).values()
    assert made.report["totals"]["goal"] == "missed" and "the goal is missed" in made.message


def test_what_is_mostly_convolutions_is_missed():
    made = made_for(test_verify.find("hand_landmark_full"), "--target-size", "45%", "--effort", "fast")
    assert made.report["totals"]["goal"] == "missed" and "the goal is missed" in made.message
    assert {"INT4", "INT8"} <= set(types(made).values())
