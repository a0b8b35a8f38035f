# SPDX-License-Identifier: Apache-2.0
"""`tfquant check`: what it finds, what it leaves alone, and that LiteRT is of the same opinion."""

import json
import random
import subprocess

import numpy as np
import pytest

import allocate
import litert
import models
import places
import schema
import test_execute_operators as operators
import tool
from ai_edge_litert import schema_py_generated as tfl
from check_models import BYTE, CASES, ISSUES, MORE, add, broadcast_to, conv, first_run, fully_connected, pack, scaled, unary
from test_recipes_json import has_executor

CLEAN, FOUND = 0, 3
TARGETS = ("litert", "xnnpack", "gpu", "nnapi", "tflite-micro", "int8-only")
DAMAGES = 6  # of each small model
SMALL = 300_000


def check(model, target="litert", *more):
    """The report for a file or for its bytes."""
    path = model
    if isinstance(model, (bytes, bytearray)):
        path = places.CACHE / "check.tflite"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model)
    done = tool.run("check", path, "--target", target, "--json", *more)
    assert done.returncode in (CLEAN, FOUND), done.stderr
    report = json.loads(done.stdout)
    serious = sum(f["severity"] != "note" for f in report["findings"])
    assert done.returncode == (FOUND if serious else CLEAN)
    assert report["clean"] is (serious == 0)
    return report


def of_rule(report, rule):
    return [f for f in report["findings"] if f["rule"] == rule]


def errors(report):
    return [f for f in report["findings"] if f["severity"] == "error"]


# ---- the rules ----


def test_every_rule_is_tried():
    listed = {r["name"] for t in TARGETS for r in check(add(), t)["rules"]}
    assert listed == set(CASES)


def needs_to_run(rule):
    if rule == "joined-ranges" and not has_executor():
        pytest.skip("built without what runs models")


@pytest.mark.parametrize("rule", CASES)
def test_rule_finds(rule):
    needs_to_run(rule)
    target, bad, _, op_name, tensor = CASES[rule]
    found = of_rule(check(bad(), target), rule)
    assert found, "nothing is found"
    assert (found[0]["op_name"], found[0]["tensor_name"]) == (op_name, tensor)
    assert (found[0]["op"] is None) == (op_name == "")
    assert "\n" not in found[0]["message"]


@pytest.mark.parametrize("rule", CASES)
def test_rule_stays_quiet(rule):
    target, _, good, _, _ = CASES[rule]
    assert of_rule(check(good(), target), rule) == []


@pytest.mark.parametrize("case", MORE)
def test_more_ways(case):
    rule, target, model, severity = MORE[case]
    needs_to_run(rule)
    assert {f["severity"] for f in of_rule(check(model(), target), rule)} == {severity}


@pytest.mark.parametrize("issue", ISSUES)
def test_issue(issue):
    rule, target, model, severity, text = ISSUES[issue]
    found = of_rule(check(model(), target), rule)
    assert severity in {f["severity"] for f in found}
    assert text in found[0]["message"]


def rules_of_loading():
    """Rules whose errors are that LiteRT does not load the model, where the case is one of these."""
    own = {"shapes", "operator-version", "custom-operator", "constant-size", "quantization-form", "missing-scale",
           "scale-range", "fixed-scales", "rescale-range", "same-scales"}
    return sorted(own)


@pytest.mark.parametrize("rule", rules_of_loading())
def test_litert_agrees_on_rule(rule):
    target, bad, good, _, _ = CASES[rule]
    xnnpack = target == "xnnpack"
    assert errors(check(bad(), target))
    assert allocate.verdict(bad(), xnnpack) != allocate.LOADS
    assert errors(check(good(), target)) == []
    assert allocate.verdict(good(), xnnpack) == allocate.LOADS


# ---- BROADCAST_TO, the operator that all this began with ----


def test_mismatch_in_the_words_of_the_runtime():
    """As after a layout change: flagged before LiteRT is asked, which then says the same."""
    model = broadcast_to([1, 256, 1, 1], [1, 32, 32, 256])
    (found,) = of_rule(check(model), "shapes")
    said = allocate.verdict(model)
    for words in ("Output shape must be broadcastable from input shape.", "Node number 0 (BROADCAST_TO) failed to prepare."):
        assert words in found["message"] and words in said
    assert "[1,256,1,1] to [1,32,32,256]" in found["message"]


@pytest.mark.parametrize(
    "source, target, cure",
    [
        ([1, 256, 1, 1], [1, 32, 32, 256], "broadcast-layout"),
        ([1, 1, 1, 3], [1, 3, 8, 8], "broadcast-layout"),
        ([1, 32, 1, 1], [1, 16, 32, 32], None),  # two places
        ([1, 4, 4, 1], [1, 8, 8, 8], None),  # none
        ([2, 3], [3], None),
    ],
)
def test_layouts_that_are_clear_have_a_cure(source, target, cure):
    model = broadcast_to(source, target)
    (found,) = of_rule(check(model), "shapes")
    assert found["cure"] == cure
    assert allocate.verdict(model) != allocate.LOADS


def test_what_shows_in_the_first_run():
    """Behind an operator whose shape only a run knows, LiteRT prepares nothing when it loads the model."""
    model = first_run()
    (found,) = of_rule(check(model), "shapes")
    assert found["op"] == 1 and "first run" in found["message"]
    assert allocate.verdict(model) == allocate.LOADS
    answer = litert.run(model, False)
    assert answer["stage"] == "refused" and "Node number 1 (ADD) failed to prepare" in answer["message"]


def test_unet():
    found, _ = models.find()
    path = found.get("keras/unet_broadcast_to_f32")
    if path is None:
        pytest.skip("no corpus")
    for target in ("gpu", "int8-only"):
        (finding,) = of_rule(check(path, target), "broadcast-to")
        assert finding["op_name"] == "BROADCAST_TO" and finding["op"] == 26
        assert finding["tensor_name"] == "functional_1/bt_1/BroadcastTo"
        assert "TILE" in finding["message"] and "tile" in finding["cure"]
        assert "[1,1,1,256] to [1,32,32,256]" in finding["message"]
    assert check(path)["clean"]


# ---- the runtime's release ----


@pytest.mark.parametrize(
    "model, needs, before",
    [
        (lambda: broadcast_to([1, 1], [2, 2], 3, BYTE, scaled()), "2.5", "2.4"),
        (lambda: pack(fully_connected(np.ones((4, 4), BYTE), scaled([0.1] * 4), version=12)), "2.17", "2.16.2"),
        (lambda: add(), "1.5", "1.4"),
    ],
)
def test_runtime_ceiling(model, needs, before):
    assert of_rule(check(model(), "litert", "--runtime", needs), "operator-version") == []
    (found,) = of_rule(check(model(), "litert", "--runtime", before), "operator-version")
    assert found["severity"] == "error" and needs in found["message"]


# ---- LiteRT and the check, both ways ----


@pytest.mark.parametrize("xnnpack", [False, True], ids=["litert", "xnnpack"])
def test_agrees_on_model(corpus_model, xnnpack):
    _, path = corpus_model
    said = allocate.verdict(path.read_bytes(), xnnpack)
    found = errors(check(path, "xnnpack" if xnnpack else "litert"))
    assert bool(found) == (said != allocate.LOADS), f"the runtime: {said}\nthe check: {found}"


@pytest.mark.parametrize("target", TARGETS)
def test_every_target(corpus_model, target):
    """Places are in the model, texts are one line, and notes alone are clean."""
    _, path = corpus_model
    t = schema.tfl.ModelT.InitFromPackedBuf(path.read_bytes())
    for f in check(path, target)["findings"]:
        graph = t.subgraphs[f["subgraph"]] if f["subgraph"] is not None else None
        assert f["op"] is None or f["op"] < len(graph.operators)
        assert f["tensor"] is None or f["tensor"] < len(graph.tensors)
        assert f["message"].strip() and "\n" not in f["message"]


def inferred(path):
    """{tensor: shape}, of those that the check knows; None without the program."""
    program = places.BUILD / "test" / "check" / "print_shapes"
    if not program.exists():
        pytest.skip("print_shapes is not built")
    done = subprocess.run([program, path], capture_output=True, text=True, check=True)
    lines = (line.split() for line in done.stdout.splitlines())
    return {int(t): [int(n) for n in shape] for t, *shape in lines if shape != ["?"]}


def test_infers_the_shapes_of_the_runtime(corpus_model):
    """Of every tensor that an operator makes, up to one whose shape only a run knows."""
    _, path = corpus_model
    said, shapes = allocate.ask(path.read_bytes())
    if said != allocate.LOADS:
        pytest.skip("LiteRT refuses it")
    ours = inferred(path)
    graph = tfl.ModelT.InitFromPackedBuf(path.read_bytes()).subgraphs[0]
    made = {int(t) for o in graph.operators for t in o.outputs}
    wrong = {t: (ours[t], shapes[t]) for t in made & ours.keys() if ours[t] != shapes[t]}
    assert wrong == {}
    if not of_rule(check(path, "gpu"), "late-shape"):
        assert made <= ours.keys(), "the shapes of some are not known"


def other_values(t, rng, tensor):
    kind = np.int32 if tensor.type == tfl.TensorType.INT32 else np.int64
    values = np.frombuffer(bytes(bytearray(t.buffers[tensor.buffer].data)), kind).copy()
    i = rng.randrange(len(values))
    values[i] = rng.choice([0, 1, -1, 2, 3, int(values[i]) + 1, int(values[i]) - 1, 7, -2])
    t.buffers.append(tfl.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
    tensor.buffer = len(t.buffers) - 1


def other_shape(t, rng, tensor, is_constant):
    shape = [int(n) for n in tensor.shape]
    way = rng.choice(("size", "size", "rank", "order"))
    if way == "rank":
        shape = shape[1:] if rng.random() < 0.5 else [1, *shape]
    elif way == "order":
        rng.shuffle(shape)
    else:
        i = rng.randrange(len(shape))
        shape[i] = rng.choice([1, 2, 3, shape[i] + 1, shape[i] * 2, max(1, shape[i] // 2)])
    tensor.shape, tensor.shapeSignature = np.array(shape, np.int32), None
    if is_constant and rng.random() < 0.85:  # long enough, so that it is only the shape that may not fit
        data = np.asarray(t.buffers[tensor.buffer].data, np.uint8)
        t.buffers.append(tfl.BufferT(data=np.concatenate([data, np.zeros(8 * int(np.prod(shape)), np.uint8)])))
        tensor.buffer = len(t.buffers) - 1


def damaged(raw, rng):
    """The model with one shape, or one number of a constant shape, that is another."""
    t = tfl.ModelT.InitFromPackedBuf(raw)
    graph = t.subgraphs[0]
    shaped = [i for i, x in enumerate(graph.tensors) if x.shape is not None and len(x.shape)]
    filled = [i for i in shaped if (data := t.buffers[graph.tensors[i].buffer].data) is not None and len(data)]
    whole = [i for i in filled if graph.tensors[i].type in (tfl.TensorType.INT32, tfl.TensorType.INT64)]
    if whole and rng.random() < 0.4:
        other_values(t, rng, graph.tensors[rng.choice(whole)])
    else:
        others = filled + [i for i in shaped if i in graph.inputs] * 5
        if not others:  # scalars
            return raw
        i = rng.choice(others)
        other_shape(t, rng, graph.tensors[i], i in filled)
    return schema.pack(t)


def test_agrees_on_damaged_shapes(corpus_model):
    """Shapes changed at random: LiteRT refuses what the check refuses, and no more."""
    name, path = corpus_model
    raw = path.read_bytes()
    if len(raw) > SMALL or any(b.offset for b in tfl.ModelT.InitFromPackedBuf(raw).buffers):
        pytest.skip("large, or with buffers behind the flatbuffer, which packing moves")
    if allocate.verdict(raw) != allocate.LOADS:
        pytest.skip("LiteRT refuses it as it is")
    rng = random.Random(name)
    for _ in range(DAMAGES):
        model = damaged(raw, rng)
        said, found = allocate.verdict(model), errors(check(model))
        assert bool(found) == (said != allocate.LOADS), f"the runtime: {said}\nthe check: {found}"


def bytes_on_disk(model):
    path = places.CACHE / "check.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model)
    return path


@pytest.mark.parametrize("label", operators.CASES)
def test_agrees_on_operator(label):
    """Models of one operator, whose outputs are declared to be what they are not; then damaged ones."""
    model = operators.build(*operators.CASES[label])
    said, shapes = allocate.ask(model)
    found = errors(check(model))
    assert bool(found) == (said != allocate.LOADS), f"the runtime: {said}\nthe check: {found}"
    ours = inferred(bytes_on_disk(model))
    assert {t: s for t, s in ours.items() if said == allocate.LOADS and shapes[t] != s} == {}
    rng = random.Random(label)
    for _ in range(3):
        model = damaged(model, rng)
        said, found = allocate.verdict(model), errors(check(model))
        assert bool(found) == (said != allocate.LOADS), f"the runtime: {said}\nthe check: {found}"
        if said != allocate.LOADS:
            break


# ---- the program ----


def test_text():
    path = places.CACHE / "check.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CASES["broadcast-to"][1]())
    done = tool.run("check", path, "--target", "gpu")
    assert done.returncode == FOUND
    assert "error: operator 0 (BROADCAST_TO), y0" in done.stdout and "1 error" in done.stdout
    quiet = tool.run("check", path, "--target", "gpu", "-q")
    assert (quiet.returncode, quiet.stdout) == (FOUND, "")
    notes = tool.run("check", path, "--target", "xnnpack")
    assert notes.returncode == CLEAN and "1 note" in notes.stdout and "BROADCAST_TO of" not in notes.stdout
    assert "BROADCAST_TO of" in tool.run("check", path, "--target", "xnnpack", "-v").stdout


def test_wrong_use():
    path = places.CACHE / "check.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(add())
    assert tool.run("check").returncode == tool.USAGE
    unknown = tool.run("check", path, "--target", "toaster")
    assert unknown.returncode == tool.USAGE and "int8-only" in unknown.stderr
    for release in ("2", "2.x", "2.5.0.1", "", "v2.5"):
        assert tool.run("check", path, f"--runtime={release}").returncode in (tool.ERROR, tool.USAGE), release
    assert tool.run("check", path, "--output", "x").returncode == tool.USAGE
    assert tool.run("check", places.CACHE / "no such file").returncode == tool.ERROR
