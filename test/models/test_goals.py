# SPDX-License-Identifier: Apache-2.0
"""Sizes and qualities that are asked for: kept, nearly used up, and worth it in LiteRT."""

import json
import math

import pytest

import models
import tool
from test_int8 import outputs, pictures, worst

# By model: the range of its pixels, and targets in % of the file.
SIZES = {
    "face_landmark": ((0, 1), (40, 55, 60, 75)),
    "face_detection_short_range": ((-1, 1), (53, 65, 75, 90)),
    "face_landmark_fp32_legacy": ((0, 1), (30, 50, 80)),
}
QUALITIES = (20, 40, 60)
CHANCE = 2.0  # dB, of some inputs against others


@pytest.fixture(autouse=True)
def executor():
    if "int8 " not in tool.run("recipes").stdout:
        pytest.skip("built without what runs models")


def find(stem, suffix=".tflite"):
    if suffix == ".tflite":
        path = next((p for p in models.find()[0].values() if p.stem == stem), None)
    else:
        path = next(iter(models.CORPUS.rglob(stem + suffix)), None) if models.CORPUS.is_dir() else None
    if path is None:
        pytest.skip(f"{stem} is not there: {models.find()[1]}")
    return path


class Judge:
    """Of results in LiteRT, on pictures that the library has not seen."""

    def __init__(self, path, limits):
        from ai_edge_litert.interpreter import Interpreter

        raw = path.read_bytes()
        low, high = limits
        shape = Interpreter(model_content=raw).get_input_details()[0]["shape"]
        self.inputs = [p * (high - low) + low for p in pictures(shape)]
        self.reference = outputs(raw, self.inputs)

    def __call__(self, raw):
        return worst(self.reference, outputs(raw, self.inputs))


def finest_step(report):
    """Bytes that the smallest constant which is not as it was would take to be so; 0: all are."""
    changed = [e for e in report["entries"] if e["verdict"] in ("quantized", "float16")]
    return min((e["bytes_before"] - e["bytes_after"] for e in changed), default=0)


@pytest.mark.parametrize("stem", SIZES)
def test_sizes_are_kept_and_used(stem, notes):
    limits, targets = SIZES[stem]
    path = find(stem)
    original, judge, before = path.stat().st_size, Judge(path, limits), None
    plain = tool.expect(path, "weight_only_wi8_afp32").raw
    half = tool.expect(path, "fp16").raw
    uniform = [(len(raw), judge(raw)) for raw in (plain, half)]
    for percent in targets:
        target = original * percent // 100
        made = tool.quantize(path, "int8", "--target-size", str(target))
        assert made.code == tool.DONE, made.message
        totals, size = made.report["totals"], len(made.raw)
        assert totals["file_bytes_after"] == size
        if size > target:
            assert totals["goal"] == "missed" and "the goal is missed" in made.message
            assert all(size < 1.02 * len(raw) for raw in (plain, half)), "there is something smaller"
        else:
            assert totals["goal"] == "reached" and not made.message
            assert size >= 0.97 * target or target - size < finest_step(made.report) + 2048 or not finest_step(made.report)
        measured = judge(made.raw)
        expected = math.inf if totals["output_snr_db"] is None else totals["output_snr_db"]
        notes.append(f"{stem}, {percent} %: {size / original:.3f}, {measured:.1f} dB, {expected:.1f} dB expected")
        for bytes_of, snr in uniform:
            if bytes_of <= max(size, target):
                assert measured > snr or math.isclose(measured, snr, abs_tol=0.5), "a uniform recipe is as small, and better"
        assert expected > totals["plain_output_snr_db"]
        if before:
            assert size >= before[0] and expected > before[1] - 1.5 and measured > before[2] - 3
        before = size, expected, measured


def verified(path, raw, limits, tmp_path):
    """The worst output's SNR by `tfquant verify`, on inputs that no recipe saw, in the range that the model is for."""
    (tmp_path / "made.tflite").write_bytes(raw)
    done = tool.run("verify", path, tmp_path / "made.tflite", "--seed", "4711", "--samples", "16", f"--input-range={limits[0]},{limits[1]}", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    output = report["outputs"][report["worst_output"]]
    return math.inf if output["exact"] else output["snr_db"]


@pytest.mark.parametrize("stem", ["face_detection_short_range", "face_landmark_fp32_legacy"])
def test_qualities_are_reached(stem, tmp_path, notes):
    path, smaller = find(stem), 0
    for decibels in QUALITIES:
        made = tool.quantize(path, "int8", "--max-error", f"{decibels}dB")
        assert made.code == tool.DONE, made.message
        totals = made.report["totals"]
        found = verified(path, made.raw, SIZES[stem][0], tmp_path)
        notes.append(f"{stem}, {decibels} dB: {len(made.raw) / path.stat().st_size:.3f}, {found:.1f} dB by other inputs")
        if totals["goal"] == "reached":
            assert totals["output_snr_db"] >= decibels and found > decibels - CHANCE
        else:
            assert totals["goal"] == "missed" and "the goal is missed" in made.message
        assert len(made.raw) >= smaller
        smaller = len(made.raw)


def test_the_same_goal_gives_the_same_bytes():
    path = find("face_detection_short_range")
    for goal in (("--target-size", "70%"), ("--max-error", "40")):
        first, second = (tool.quantize(path, "int8", *goal, "-T", threads).raw for threads in "12")
        assert first == second


def test_bundles_have_one_size(tmp_path):
    path = find("hand_landmarker", ".task")
    sizes = []
    for percent in (60, 75):
        target = tmp_path / "small.task"
        done = tool.run(
            "quantize", path, "-o", target, "-f", "--recipe", "int8", "--effort", "fast", "--json", "--target-size", f"{percent}%"
        )
        assert done.returncode == tool.DONE, done.stderr
        size, most = target.stat().st_size, path.stat().st_size * percent / 100
        totals = json.loads(done.stdout)["totals"]
        assert totals["goal"] == "reached" and 0.97 * most <= size <= most
        sizes.append(size)
    assert sizes[0] < sizes[1]


def test_qualities_need_a_recipe_that_looks():
    """Plain recipes don't run the model: they can't promise anything, and say so."""
    path = find("face_detection_short_range")
    made = tool.quantize(path, "weight_only_wi8_afp32", "--max-error", "10")
    assert made.code == tool.DONE
    assert made.report["totals"]["goal"] == "missed" and "the goal is missed" in made.message
    same = tool.run("quantize", path, "--dry-run", "--recipe", "none", "--max-error", "10", "--json")
    assert json.loads(same.stdout)["totals"]["goal"] == "reached"
