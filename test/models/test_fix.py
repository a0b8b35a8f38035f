# SPDX-License-Identifier: Apache-2.0
"""Cures: what `tfquant check --fix` makes of what it finds, and that `quantize` writes nothing that its target refuses."""

import collections
import functools
import json
import re
import zipfile

import numpy as np
import pytest

import allocate
import check_models
import edge_models
import litert
import models
import places
import rewrite_models
import rewrite_shapes
import schema
import tool
from test_recipes_json import has_executor

CLEAN, FOUND = 0, 3
TARGETS = ("litert", "xnnpack", "gpu", "nnapi", "tflite-micro", "int8-only")
PLAIN = ("none", "weight_only_wi8_afp32", "dynamic_wi8_afp32", "fp16", "dynamic_wi4b32_afp32")
BY_INPUTS = ("int8", "int8-fast")  # they run the model where there is anything to round
LIKE_XNNPACK = ("litert",)  # all recipes make the same for it

# cure: (target, a model that has it)
CURES = {
    "broadcast-to-tile": ("gpu", lambda: check_models.broadcast_to([1, 4, 1, 64], [1, 4, 8, 64])),
    "broadcast-layout": ("litert", lambda: check_models.broadcast_to([1, 256, 1, 1], [1, 32, 32, 256])),
    "fold-shapes": ("gpu", rewrite_shapes.shape_chain),
    "fold-densify": ("gpu", edge_models.MODELS["sparse_behind_densify"]),
    "fold-float16": ("tflite-micro", lambda: check_models.through_dequantize(np.float16)),
}


def operators(raw):
    t = schema.Model(raw).t
    names = {v: k for k, v in vars(schema.tfl.BuiltinOperator).items() if isinstance(v, int)}
    return [names[t.operatorCodes[o.opcodeIndex].builtinCode] for o in t.subgraphs[0].operators]


@functools.cache
def findings(path, target):
    done = tool.run("check", path, "--target", target, "--json")
    assert done.returncode in (CLEAN, FOUND), done.stderr
    return json.loads(done.stdout)["findings"]


def fix(path, target, out, *more):
    out.unlink(missing_ok=True)
    done = tool.run("check", path, "--fix", "-o", out, "--target", target, "--json", *more)
    assert done.returncode in (CLEAN, FOUND), done.stderr
    report = json.loads(done.stdout)
    assert report["fix"]["clean"] is (done.returncode == CLEAN)
    assert findings.__wrapped__(out, target) == report["fix"]["findings"]
    return report


def serious(found):
    return collections.Counter((f["rule"], f["severity"], f["op_name"]) for f in found if f["severity"] != "note")


# ---- check --fix ----


def test_every_cure_is_a_rewrite():
    """Names of rewrites in the sources of rules are those that are tried here, and there are such rewrites."""
    listed = {r["name"] for r in json.loads(tool.run("rewrite", "--list", "--json").stdout)["rewrites"]}
    sources = [p.read_text() for p in (places.PROJECT / "lib" / "check").glob("rule_*.c")]
    rules = {r["name"] for t in TARGETS for r in json.loads(
        tool.run("check", models_path(check_models.add()), "--target", t, "--json").stdout)["rules"]}
    named = set(re.findall(r'"((?:broadcast|cancel|drop|fold|freeze|share)-[a-z0-9-]+)"', "\n".join(sources))) - rules
    assert named == set(CURES) and named <= listed


def models_path(raw):
    path = places.CACHE / "fix.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("cure", CURES)
def test_cure_cures(cure, tmp_path):
    target, build = CURES[cure]
    path, out = models_path(build()), tmp_path / "out.tflite"
    report = fix(path, target, out)
    assert cure in {f["cure"] for f in report["findings"]}
    assert report["fix"]["edits"] and not any(f["cure"] for f in report["fix"]["findings"])
    before = litert.run(path.read_bytes(), False)
    if litert.runs(before):
        after = litert.run(out.read_bytes(), False, before)
        assert litert.runs(after) and litert.equal(before, after)


def test_unet(tmp_path):
    path = models.find()[0].get("keras/unet_broadcast_to_f32")
    if path is None:
        pytest.skip("no corpus")
    for target in ("gpu", "int8-only"):
        out = tmp_path / "out.tflite"
        report = fix(path, target, out)
        uncured = ["joined-ranges"] if target == "int8-only" and has_executor() else []  # of the message and the picture
        assert [(f["op"], f["cure"]) for f in report["findings"] if f["rule"] not in uncured] == [(26, "broadcast-to-tile")]
        assert [f["rule"] for f in report["fix"]["findings"]] == uncured and "BROADCAST_TO" not in operators(out.read_bytes())
        for xnnpack in (True, False):
            before = litert.run(path.read_bytes(), xnnpack)
            assert litert.equal(before, litert.run(out.read_bytes(), xnnpack, before))
    for recipe in PLAIN + BY_INPUTS:
        made = tool.quantize(out, recipe, "--effort", "fast")
        assert made.code == tool.DONE and litert.runs(litert.run(made.raw, True))


def test_layout_changed(tmp_path):
    """LiteRT does not load it as the check said; what the fix makes of it loads and runs."""
    raw = rewrite_models.mismatched((1, 256, 1, 1), (1, 32, 32, 256))
    path, out = models_path(raw), tmp_path / "out.tflite"
    report = fix(path, "litert", out)
    (found,) = [f for f in report["findings"] if f["severity"] == "error"]
    said = allocate.verdict(raw)
    assert said != allocate.LOADS and "Output shape must be broadcastable from input shape." in said
    assert "Output shape must be broadcastable from input shape." in found["message"] and found["op_name"] in said
    assert report["fix"]["clean"] and litert.runs(litert.run(out.read_bytes(), False))
    # its cure leaves a BROADCAST_TO, which the GPU does not have: it goes too
    assert fix(path, "gpu", out)["fix"]["clean"] and "BROADCAST_TO" not in operators(out.read_bytes())


def test_nothing_to_fix_is_a_copy(tmp_path):
    path, out = models_path(check_models.add()), tmp_path / "out.tflite"
    report = fix(path, "gpu", out)
    assert report["fix"]["edits"] == [] and not schema.compare(schema.Model.read(path), schema.Model.read(out))


def test_what_has_no_cure_is_left(tmp_path):
    path, out = models_path(check_models.unary("SIN")), tmp_path / "out.tflite"
    report = fix(path, "int8-only", out)
    assert not report["fix"]["clean"] and report["fix"]["findings"] == report["findings"]


def test_text_and_wrong_use(tmp_path):
    path, out = models_path(check_models.broadcast_to([1, 4, 1, 8], [1, 4, 2, 8])), tmp_path / "out.tflite"
    done = tool.run("check", path, "--target", "gpu", "--fix", "-o", out)
    assert done.returncode == CLEAN and "1 error" in done.stdout and "0 errors" in done.stdout
    assert re.search(r"^broadcast-to-tile +operator 0 BROADCAST_TO", done.stdout, re.M)
    again = tool.run("check", path, "--target", "gpu", "--fix", "-o", out)
    assert again.returncode == tool.ERROR and "-f" in again.stderr
    assert tool.run("check", path, "--target", "gpu", "--fix", "-o", out, "-f").returncode == CLEAN
    assert tool.run("check", path, "--fix").returncode == tool.USAGE
    assert tool.run("check", path, "-o", out).returncode == tool.USAGE
    assert tool.run("check", path, "--fix", "-f", "-o", path).returncode == tool.ERROR


# ---- quantize ----


def quantized(path, recipe, target):
    return tool.quantize.__wrapped__(path, recipe, "--target", target, "--effort", "fast")


@pytest.mark.parametrize("target", TARGETS)
def test_passes_its_own_check(corpus_model, target, tmp_path):
    """Nothing that the target refuses comes in by a recipe; what the recipe then can't have, the report says."""
    _, path = corpus_model
    had = serious(findings(path, target))
    for recipe in PLAIN if target in LIKE_XNNPACK else PLAIN + BY_INPUTS:
        made = quantized(path, recipe, target)
        assert made.code in (tool.DONE, tool.UNCHANGED), made.message
        assert made.report["check"]["target"] == target
        said = serious(made.report["check"]["findings"])
        assert not said - had, recipe
        if made.raw:
            out = tmp_path / "out.tflite"
            out.write_bytes(made.raw)
            assert not serious(findings.__wrapped__(out, target)) - had, recipe
        if recipe != "none" and target in ("tflite-micro", "int8-only"):
            assert {e["verdict"] for e in made.report["entries"]} <= {"kept", "folded"}


REFUSED = {  # by recipe: the target takes it, of one CONV_2D and one FULLY_CONNECTED
    "weight_only_wi8_afp32": {"litert", "xnnpack"},
    "dynamic_wi8_afp32": {"litert", "xnnpack"},
    "fp16": {"litert", "xnnpack", "gpu"},
}


def test_refusals_have_a_reason():
    found, _ = models.find()
    path = found.get("keras/unet_broadcast_to_f32")
    if path is None:
        pytest.skip("no corpus")
    for recipe, takes in REFUSED.items():
        for target in TARGETS:
            report = quantized(path, recipe, target).report
            reasons = {e["reason"] for e in report["entries"]}
            if target in takes:
                assert "TARGET_REFUSES" not in reasons and report["totals"]["quantized"] + report["totals"]["float16"] > 0
            elif target in ("tflite-micro", "int8-only"):
                assert "TARGET_REFUSES" in reasons and report["totals"]["quantized"] + report["totals"]["float16"] == 0
    filters = quantized(path, "dynamic_wi8_afp32", "nnapi").report["entries"]
    assert {e["verdict"] for e in filters if e["op_name"] == "CONV_2D" and e["op_input"] == 1} == {"quantized"}


def test_budgets_keep_to_what_the_target_takes(tmp_path):
    """float16 islands where XNNPACK is to run it; none on NNAPI, which unpacks none."""
    path = models.find()[0].get("keras/unet_broadcast_to_f32")
    if path is None:
        pytest.skip("no corpus")
    recipe = tmp_path / "mine.json"
    recipe.write_text('{"recipe": "dynamic_wi8_afp32", "float_budget": 0.3}')
    made = {t: quantized(path, str(recipe), t).report for t in ("xnnpack", "nnapi")}
    assert made["xnnpack"]["totals"]["float16"] > 0
    assert made["nnapi"]["totals"]["float16"] == 0 < made["nnapi"]["totals"]["quantized"] and made["nnapi"]["check"]["clean"]


def test_quantize_mends_for_its_target():
    path = models.find()[0].get("keras/unet_broadcast_to_f32")
    if path is None:
        pytest.skip("no corpus")
    made = quantized(path, "int8", "gpu")
    assert [(e["rewrite"], e["op"]) for e in made.report["edits"]] == [("broadcast-to-tile", 26)]
    assert made.report["check"]["clean"] and "BROADCAST_TO" not in operators(made.raw)
    assert litert.snr(litert.run(path.read_bytes(), True), litert.run(made.raw, True, litert.run(path.read_bytes(), True))) > 30
    for recipe, target, more in (("int8", "xnnpack", ()), ("none", "gpu", ()), ("int8", "gpu", ("--no-rewrite",))):
        kept = tool.quantize.__wrapped__(path, recipe, "--target", target, "--effort", "fast", *more)
        assert kept.report["edits"] == [] and "BROADCAST_TO" in operators(kept.raw)
    assert kept.report["check"]["counts"]["error"] == 1


def test_data_are_seen_by_the_mended_model(tmp_path):
    """Statistics are of the graph that is quantized, whose operators may have other numbers."""
    path = models.find()[0].get("keras/unet_broadcast_to_f32")
    if path is None:
        pytest.skip("no corpus")
    graph = schema.Model.read(path).t.subgraphs[0]
    for i, tensor in enumerate(graph.inputs):
        shape = [int(n) for n in graph.tensors[int(tensor)].shape]
        np.save(tmp_path / f"a.{i}.npy", np.random.default_rng(i).random(shape, np.float32))
    made = tool.quantize.__wrapped__(
        path, "int8", "--target", "gpu", "--effort", "fast", "--data", str(tmp_path))
    totals = made.report["totals"]
    assert made.report["edits"] and made.report["data_sets"] == 1 and totals["known_layers"] == totals["layers"] > 0


def test_edits_alone_are_a_change(tmp_path):
    """No recipe finds anything to do in it, but the target does."""
    path = models_path(check_models.broadcast_to([1, 4, 1, 8], [1, 4, 2, 8]))
    made = quantized(path, "fp16", "gpu")
    assert made.code == tool.DONE and made.report["changed"] and operators(made.raw) == ["TILE"]
    assert quantized(path, "fp16", "xnnpack").code == tool.UNCHANGED


def test_bundle(tmp_path):
    """Models of a bundle are mended each; one that is to be copied keeps all from being mended."""
    raw = check_models.broadcast_to([1, 4, 1, 8], [1, 4, 2, 8])
    path, out = tmp_path / "a.task", tmp_path / "b.task"
    with zipfile.ZipFile(path, "w") as z:
        for name, content in (("x.tflite", raw), ("y.tflite", check_models.add()), ("z.txt", b"kept")):
            z.writestr(name, content)
    done = tool.run("quantize", path, "-o", out, "--target", "gpu", "--recipe", "fp16", "--json")
    assert done.returncode == tool.DONE, done.stderr
    report = json.loads(done.stdout)
    assert [e["path"] for e in report["edits"]] == ["x.tflite"] and report["check"]["clean"]
    with zipfile.ZipFile(out) as z:
        assert operators(z.read("x.tflite")) == ["TILE"] and z.read("z.txt") == b"kept"
    done = tool.run("quantize", path, "-n", "--target", "gpu", "--recipe", "fp16", "--member", "x*=none", "--json")
    assert json.loads(done.stdout)["edits"] == []
