# SPDX-License-Identifier: Apache-2.0
"""The recipe `int8` against plain rounding, on pictures that it has not seen."""

import math

import numpy as np
import pytest

import abi
import litert
import models
import places
import tool
from test_abi import Session

# Models that plain rounding hurts, and what the recipe must be better by, in dB; measured: 8 to 32.
GAIN = {"hand_landmark_full": 18, "hand_landmark_lite": 15, "palm_detection_full": 4, "face_landmark": 4}


RECIPES = ("int8", "int8-fast")


def find(stem):
    path = next((p for p in models.find()[0].values() if p.stem == stem), None)
    if path is None:
        pytest.skip(f"{stem} is not there: {models.find()[1]}")
    return path


def pictures(shape, count=4):
    """Smooth shapes and edges in [0, 1]; another construction than the library's own inputs."""
    _, height, width, channels = shape
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    made = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        picture = np.full((height, width, channels), 0.4) + 0.3 * x[..., None] * random.normal(size=channels)
        for _ in range(30):
            cy, cx, radius, soft = random.random(4) * [1, 1, 0.3, 0.05]
            inside = 1 / (1 + np.exp((np.hypot(y - cy, (x - cx) * random.uniform(0.5, 2)) - radius) / (0.003 + soft)))
            picture += inside[..., None] * (random.random(channels) - picture)
        made.append(np.clip(picture, 0, 1).astype(np.float32)[None])
    return made


def outputs(raw, inputs):
    """Of each output all values, for all inputs."""
    from ai_edge_litert.interpreter import Interpreter

    runtime = Interpreter(model_content=raw, num_threads=1)
    runtime.allocate_tensors()
    found = []
    for given in inputs:
        runtime.set_tensor(runtime.get_input_details()[0]["index"], given)
        runtime.invoke()
        found.append([runtime.get_tensor(o["index"]).astype(np.float64).ravel() for o in runtime.get_output_details()])
    return [np.concatenate(values) for values in zip(*found)]


def worst(reference, result):
    """The smallest SNR of the outputs with more than one element, in dB."""
    ratios = [np.sum(a**2) / max(np.sum((a - b) ** 2), 1e-300) for a, b in zip(reference, result) if a.size > 4]
    return 10 * math.log10(min(ratios))


@pytest.mark.parametrize("stem", GAIN)
def test_is_more_accurate_than_plain_rounding(stem, notes):
    path = find(stem)
    raw = path.read_bytes()
    from ai_edge_litert.interpreter import Interpreter

    shape = Interpreter(model_content=raw).get_input_details()[0]["shape"]
    inputs = pictures(shape)
    reference = outputs(raw, inputs)
    plain, int8 = (tool.expect(path, recipe, "--effort", "normal").raw for recipe in ("weight_only_wi8_afp32", "int8"))
    before, after = (worst(reference, outputs(model, inputs)) for model in (plain, int8))
    notes.append(f"{stem}: int8 {after:.1f} dB, rounded plainly {before:.1f} dB, {len(int8)} and {len(plain)} bytes")
    assert after > before + GAIN[stem]
    assert len(int8) < 1.06 * len(plain)  # float16 islands


# The same for int8-fast against plain rounding with int8 arithmetic; measured: 14 to 28.
FAST_GAIN = {"hand_landmark_lite": 20, "pose_landmark_lite": 14, "face_detection_short_range": 10}


@pytest.mark.parametrize("stem", FAST_GAIN)
def test_fast_is_more_accurate_than_dynamic(stem, notes):
    from ai_edge_litert.interpreter import Interpreter

    path = find(stem)
    raw = path.read_bytes()
    inputs = pictures(Interpreter(model_content=raw).get_input_details()[0]["shape"])
    if stem.startswith("face_detection"):
        inputs = [2 * picture - 1 for picture in inputs]
    reference = outputs(raw, inputs)
    plain, fast = (tool.expect(path, recipe, "--effort", "normal") for recipe in ("dynamic_wi8_afp32", "int8-fast"))
    rounded = tool.expect(path, "weight_only_wi8_afp32").raw
    before, after = (worst(reference, outputs(made.raw, inputs)) for made in (plain, fast))
    entries = [e for e in fast.report["entries"] if e["is_dynamic"]]
    notes.append(
        f"{stem}: int8-fast {after:.1f} dB with {len(entries)} dynamic constants, dynamic_wi8_afp32 {before:.1f} dB, "
        f"{len(fast.raw)} and {len(plain.raw)} bytes, weight-only {len(rounded)}"
    )
    assert after > before + FAST_GAIN[stem]
    assert len(fast.raw) < 1.06 * len(rounded)
    assert all(e["op_name"] in ("CONV_2D", "FULLY_CONNECTED") for e in entries)


@pytest.mark.parametrize("recipe", RECIPES)
def test_is_never_larger(corpus_model, recipe):
    name, path = corpus_model
    output = tool.expect(path, recipe)
    assert not output.changed or len(output.raw) < path.stat().st_size


def smallish():
    found = models.find()[0]
    path = next((p for p in found.values() if p.stem in ("face_detection_short_range", "mobilenet_v3_small")), None)
    if path is None:
        pytest.skip(models.find()[1])
    return path


@pytest.mark.parametrize("recipe", RECIPES)
def test_runs_the_same_on_any_number_of_threads(recipe, tmp_path):
    path = smallish()
    assert litert.runs(litert.run(tool.expect(path, recipe, "--effort", "normal").raw, True))
    again = [tool.run("quantize", path, "-o", tmp_path / f"{t}", "-q", "-r", recipe, "-T", t).returncode for t in (1, 2)]
    assert again == [0, 0]
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes() == tool.expect(path, recipe, "--effort", "normal").raw


@pytest.mark.parametrize("recipe", RECIPES)
def test_is_the_same_on_every_level(recipe):
    """Statistics and rounding are the same bits with narrower vectors; see also the tests of their sums."""
    library = places.library(".so")
    if library is None:
        pytest.skip("the shared library is not built (-Ddefault_library=both)")
    path = smallish()
    raw = path.read_bytes()
    session = Session(abi.load(library))
    expected = session.whole(raw, recipe=recipe.encode())
    assert len(expected) < len(raw) and expected == tool.expect(path, recipe, "--effort", "normal").raw
    for disabled in (2, 7):
        again = session.whole(raw, load={"cpu_disable": disabled}, recipe=recipe.encode())
        assert again == expected, f"without CPU features {disabled}"
    session.close()
