# SPDX-License-Identifier: Apache-2.0
"""`tfquant check` on ranges of values: what they are measured on, that they are LiteRT's, and that it goes on without them."""

import json
import re
import zipfile

import numpy as np
import pytest
from ai_edge_litert import interpreter as litert_interpreter
from ai_edge_litert import schema_py_generated as tfl

import models
import schema
import tool
from check_models import Input, add, detector, op, pack
from test_recipes_json import has_executor

CLEAN, FOUND = 0, 3
RULE = "joined-ranges"


@pytest.fixture(autouse=True)
def executor(request):
    if not has_executor() and request.function is not test_library_that_runs_nothing:
        pytest.skip("built without what runs models")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "model.tflite").write_bytes(detector(200))
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "a.npy", np.random.default_rng(1).random((3, 16), np.float32))
    return tmp_path


def check(path, *more, target="int8-only"):
    done = tool.run("check", path, "--target", target, "--json", *more)
    assert done.returncode in (CLEAN, FOUND), done.stderr
    report = json.loads(done.stdout)
    return report, [f for f in report["findings"] if f["rule"] == RULE]


def ranges_of(raw, sets):
    """{tensor: lowest and highest value}, of floats, on these sets of inputs."""
    runner = litert_interpreter.Interpreter(
        model_content=raw, experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=litert_interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    runner.allocate_tensors()
    graph, ranges = tfl.ModelT.InitFromPackedBuf(raw).subgraphs[0], {}
    for values in sets:
        for index, value in zip(graph.inputs, values):
            runner.set_tensor(int(index), value)
        runner.invoke()
        for i, t in enumerate(graph.tensors):
            if t.type == tfl.TensorType.FLOAT32 and any(i in o.outputs for o in graph.operators):
                value = runner.get_tensor(i)
                low, high = ranges.get(i, (0.0, 0.0))
                ranges[i] = min(low, value.min()), max(high, value.max())
    return ranges


def compare(path, folder, sets):
    """Findings with their numbers, which are those of LiteRT; also where the rule has nothing to say."""
    raw = path.read_bytes()
    ranges = ranges_of(raw, sets)
    _, findings = check(path, "--data", folder)
    found = {f["op"]: f for f in findings}
    graph = tfl.ModelT.InitFromPackedBuf(raw).subgraphs[0]
    codes = tfl.ModelT.InitFromPackedBuf(raw).operatorCodes
    for index, o in enumerate(graph.operators):
        if max(codes[o.opcodeIndex].builtinCode, codes[o.opcodeIndex].deprecatedBuiltinCode) != tfl.BuiltinOperator.CONCATENATION:
            continue
        known = sorted((ranges[int(i)][1] - ranges[int(i)][0], int(i)) for i in o.inputs if int(i) in ranges)
        (narrow, first), (wide, last) = known[0], known[-1]
        assert (index in found) == (wide > 16 * narrow)
        if index in found:
            low, high, other_low, other_high, times = (
                float(n) for n in re.search(r"', (\S+) to (\S+), .*', (\S+) to (\S+), which is (\S+) times", found[index]["message"]).groups())
            assert found[index]["tensor"] == first
            np.testing.assert_allclose((low, high), ranges[first], rtol=2e-3, atol=1e-7)
            np.testing.assert_allclose((other_low, other_high), ranges[last], rtol=2e-3, atol=1e-7)
            assert times == pytest.approx(wide / narrow, rel=1e-2)
    return found


def test_ranges_are_those_of_the_runtime(place):
    values = np.load(place / "data" / "a.npy")
    found = compare(place / "model.tflite", place / "data", [(v[None],) for v in values])
    assert len(found) == 1 and found[3]["severity"] == "warning"


def test_unet(tmp_path):
    found, _ = models.find()
    path = found.get("keras/unet_broadcast_to_f32")
    if path is None:
        pytest.skip("no corpus")
    rng, sets = np.random.default_rng(3), []
    graph = tfl.ModelT.InitFromPackedBuf(path.read_bytes()).subgraphs[0]
    for n in range(2):
        sets.append([rng.random(graph.tensors[int(i)].shape, np.float32) for i in graph.inputs])
        for i, value in enumerate(sets[-1]):
            np.save(tmp_path / f"s{n}.{i}.npy", value)
    assert compare(path, tmp_path, sets)


def test_real_detectors():
    """Their heads have ranges of a kind, so that what is joined is alike."""
    found, _ = models.find()
    paths = [p for n, p in found.items() if "palm_detection" in n or "face_detection_full" in n]
    if not paths:
        pytest.skip("no corpus")
    for path in paths:
        report, findings = check(path)
        assert findings == [] and all(r["known"] and not r["refused"] for r in report["ranges"]), path


def test_what_they_are_measured_on(place):
    report, found = check(place / "model.tflite")
    (source,) = report["ranges"]
    assert found and (source["known"], source["data_sets"], source["refusal"]) == (True, 0, "")
    report, found = check(place / "model.tflite", "--data", place / "data")
    assert found and report["ranges"][0]["data_sets"] == 3
    for target, far in (("tflite-micro", True), ("litert", False)):  # which run float models: nothing is measured unasked
        report, found = check(place / "model.tflite", target=target)
        assert report["ranges"] == [] == found and (RULE in {r["name"] for r in report["rules"]}) is far
        assert bool(check(place / "model.tflite", "--data", place / "data", target=target)[1]) is far


def test_data_decides(place):
    """Inputs of 0 give boxes of 0, and scores of 0.5: then there is nothing that is lost."""
    np.save(place / "data" / "a.npy", np.zeros((1, 16), np.float32))
    assert check(place / "model.tflite", "--data", place / "data")[1] == []
    np.save(place / "data" / "a.npy", np.full((1, 16), 200, np.uint8))
    assert check(place / "model.tflite", "--data", place / "data", "--input-range", "0,1")[1]
    wrong = tool.run("check", place / "model.tflite", "--target", "int8-only", "--data", place / "data")
    assert wrong.returncode == tool.ERROR and "a.npy" in wrong.stderr
    missing = tool.run("check", place / "model.tflite", "--target", "int8-only", "--data", place / "no such folder")
    assert missing.returncode == tool.ERROR


def test_text(place):
    done = tool.run("check", place / "model.tflite", "--target", "int8-only")
    assert done.returncode == FOUND and "operator 3 (CONCATENATION), scores" in done.stdout
    assert "'scores'" in done.stdout and "'boxes'" in done.stdout and "of 256 levels" in done.stdout
    assert done.stdout.rstrip().endswith("ranges of values are those on synthetic inputs")
    done = tool.run("check", place / "model.tflite", "--target", "int8-only", "--data", place / "data")
    assert done.stdout.rstrip().endswith("ranges of values are those on 3 given sets of inputs")
    assert "ranges" not in tool.run("check", place / "model.tflite").stdout


def test_goes_on_without(place):
    """What can't be run is said, and all else is found."""
    (place / "model.tflite").write_bytes(detector(200, lost=True))
    report, found = check(place / "model.tflite")
    assert found == [] and report["ranges"][0]["refused"] == 1 and "Unheard" in report["ranges"][0]["refusal"]
    assert "custom-operator" in {f["rule"] for f in report["findings"]}
    text = tool.run("check", place / "model.tflite", "--target", "int8-only").stdout
    assert "note: 1 of 5 operators can't be run: " in text
    (place / "large.tflite").write_bytes(pack(op("TILE", [Input([1, 4096, 4096]), np.array([1, 1, 1], np.int32)],
                                                 [Input([1, 4096, 4096])], tfl.TileOptionsT())))
    report, found = check(place / "large.tflite", "--max-memory", "1M")
    assert found == [] and not report["ranges"][0]["known"] and report["ranges"][0]["refusal"]
    text = tool.run("check", place / "large.tflite", "--target", "int8-only", "--max-memory", "1M").stdout
    assert "note: ranges of values are not known: " in text


def test_bundles(place):
    """Each model by itself: one with data, one on synthetic inputs."""
    with zipfile.ZipFile(place / "b.task", "w") as z:
        for name, raw in (("far.tflite", detector(200)), ("near.tflite", detector(4)), ("add.tflite", add())):
            z.writestr(name, raw)
    report, found = check(place / "b.task", "--data", f"near*={place / 'data'}")
    assert [f["path"] for f in found] == ["far.tflite"]
    assert {r["path"]: r["data_sets"] for r in report["ranges"]} == {"far.tflite": 0, "near.tflite": 3, "add.tflite": 0}
    text = tool.run("check", place / "b.task", "--target", "int8-only", "--data", f"near*={place / 'data'}").stdout
    assert "near.tflite: ranges of values are those on 3 given sets" in text
    assert tool.run("check", place / "b.task", "--target", "int8-only", "--data", place / "data").returncode == tool.ERROR


def test_fix(place):
    """What was mended is measured anew."""
    out = place / "out.tflite"
    for data in ([], ["--data", place / "data"]):
        report, found = check(place / "model.tflite", "--fix", "-o", out, "-f", *data)
        assert found and [f for f in report["fix"]["findings"] if f["rule"] == RULE] == found
        assert report["fix"]["ranges"] == report["ranges"] != []
    report, _ = check(mended(place), "--fix", "-o", out, "-f")
    assert report["fix"]["edits"]
    left = [f for f in report["fix"]["findings"] if f["rule"] == RULE]
    assert left and left == check(out)[1]


def mended(place):
    """A detector behind a BROADCAST_TO, which int8-only does not have."""
    t = tfl.ModelT.InitFromPackedBuf(detector(200))
    g = t.subgraphs[0]
    b = tfl.ModelT.InitFromPackedBuf(pack(op("BROADCAST_TO", [Input([1, 1]), np.array([1, 16], np.int32)], [Input([1, 16])],
                                             tfl.BroadcastToOptionsT(), 2)))
    t.operatorCodes.append(b.operatorCodes[0])
    t.buffers.append(b.buffers[b.subgraphs[0].tensors[1].buffer])
    small, to = b.subgraphs[0].tensors[:2]
    to.buffer = len(t.buffers) - 1
    x, n = int(g.inputs[0]), len(g.tensors)
    g.tensors += [small, to]
    o = b.subgraphs[0].operators[0]
    o.opcodeIndex, o.inputs, o.outputs = len(t.operatorCodes) - 1, np.array([n, n + 1], np.int32), np.array([x], np.int32)
    g.operators.insert(0, o)
    g.inputs = np.array([n], np.int32)
    path = place / "mended.tflite"
    path.write_bytes(schema.pack(t))
    return path


def test_library_that_runs_nothing(place):
    """The check goes on and says so; data of one's own are refused."""
    if has_executor():
        pytest.skip("this one runs models: see test_goes_on_without")
    report, found = check(place / "model.tflite")
    assert found == [] and not report["ranges"][0]["known"] and "built without" in report["ranges"][0]["refusal"]
    done = tool.run("check", place / "model.tflite", "--target", "int8-only", "--data", place / "data")
    assert done.returncode == tool.ERROR and "TQ_ERR_UNSUPPORTED" in done.stderr
