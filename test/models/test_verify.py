# SPDX-License-Identifier: Apache-2.0
"""`tfquant verify` finds the error that LiteRT has, and says so in a table and in JSON."""

import json
import math

import numpy as np
import pytest

import edge_models
import models
import tool

TOO_FAR = 3
# Models whose outputs all can be computed; the first two bear int8 badly.
STEMS = (
    "hand_landmark_lite", "palm_detection_lite", "face_landmark_fp32_legacy", "face_landmark",
    "conv_fc_mnist", "single_fc_bias", "bmm_constant_input", "embedding_lookup",
)
# By recipe: inputs, and how far apart our ratio and the runtime's may be. Its rounding of activations is emulated, its
# order of sums is not: values go the other way then, and of a single input the error may be several dB larger or smaller.
SETS = {"weight_only_wi8_afp32": 3, "fp16": 3, "dynamic_wi8_afp32": 12}
TOLERANCE_DB = {"weight_only_wi8_afp32": 0.1, "fp16": 0.2, "dynamic_wi8_afp32": 3.0}
SINGLE_TOLERANCE_DB = 6.0  # dynamic: of outputs of one number, which are more a matter of luck


def verify(*arguments):
    done = tool.run("verify", *arguments, "--json")
    return done, json.loads(done.stdout)


def find(stem):
    path = next((p for p in models.find()[0].values() if p.stem == stem), None)
    if path is None:
        pytest.skip(f"{stem} is not there: {models.find()[1]}")
    return path


def inputs_for(details, count, folder):
    """Sets as files for the command, and as arrays by input."""
    random = np.random.default_rng(7)
    made = []
    for i, detail in enumerate(details):
        shape, kind = tuple(detail["shape"]), detail["dtype"]
        if kind == np.float32:
            sets = [random.random(shape, dtype=np.float32) for _ in range(count)]
        else:
            sets = [random.integers(0, 2, shape).astype(kind) for _ in range(count)]
        for j, values in enumerate(sets):
            np.save(folder / (f"{j}.npy" if len(details) == 1 else f"{j}.{i}.npy"), values)
        made.append(sets)
    return made


def outputs(raw, inputs):
    from ai_edge_litert.interpreter import Interpreter

    runtime = Interpreter(model_content=raw, num_threads=1)
    runtime.allocate_tensors()
    found = []
    for i in range(len(inputs[0])):
        for detail, sets in zip(runtime.get_input_details(), inputs):
            runtime.set_tensor(detail["index"], sets[i])
        runtime.invoke()
        found.append([runtime.get_tensor(o["index"]).astype(np.float64).ravel() for o in runtime.get_output_details()])
    return [np.concatenate(values) for values in zip(*found)]


def decibels(a, b):
    noise = np.sum((a - b) ** 2)
    return 10 * math.log10(np.sum(a**2) / noise) if noise else math.inf


@pytest.mark.parametrize("recipe", TOLERANCE_DB)
@pytest.mark.parametrize("stem", STEMS)
def test_finds_what_the_runtime_finds(stem, recipe, tmp_path, notes):
    path = find(stem)
    small = tool.expect(path, recipe)
    if not small.changed:
        pytest.skip("the recipe changes nothing")
    from ai_edge_litert.interpreter import Interpreter

    raw = path.read_bytes()
    (tmp_path / "data").mkdir()
    (tmp_path / "small.tflite").write_bytes(small.raw)
    details = Interpreter(model_content=raw).get_input_details()
    inputs = inputs_for(details, SETS[recipe], tmp_path / "data")
    done, found = verify(path, tmp_path / "small.tflite", "--input", tmp_path / "data")
    assert done.returncode == tool.DONE, done.stderr
    assert found["samples"] == SETS[recipe] and found["compared_outputs"] == len(found["outputs"])
    before, after = outputs(raw, inputs), outputs(small.raw, inputs)
    shown = []
    for output, a, b in zip(found["outputs"], before, after, strict=True):
        want, got = decibels(a, b), math.inf if output["exact"] else output["snr_db"]
        shown.append(f"{got:.1f}/{want:.1f}")
        # a ratio of rounding errors of single precision is nobody's business
        single = recipe == "dynamic_wi8_afp32" and a.size == SETS[recipe]
        allowed = SINGLE_TOLERANCE_DB if single else TOLERANCE_DB[recipe]
        assert min(want, got) > 100 or abs(want - got) <= allowed, (output["name"], want, got)
        if min(want, got) < 100 and recipe != "dynamic_wi8_afp32":
            d = np.abs(a - b)
            share = 10 ** (allowed / 10) - 1
            assert output["mean_difference"] == pytest.approx(d.mean(), rel=share)
            assert output["mean_relative_difference"] == pytest.approx(d.mean() / np.abs(a).mean(), rel=share)
            assert output["max_difference"] == pytest.approx(d.max(), rel=2 * share)
            cosine = np.dot(a, b) / math.sqrt(np.dot(a, a) * np.dot(b, b))
            assert 1 - output["cosine"] == pytest.approx(1 - cosine, rel=2 * share, abs=1e-9)
    notes.append(f"verify/LiteRT dB: {stem}, {recipe}: {', '.join(shown)}")


def test_equal_models_are_equal(corpus_model):
    name, path = corpus_model
    done, found = verify(path, path, "--samples", 1)
    assert found["entry_layer"] is None and found["unmatched"] == found["other_unmatched"] == 0
    assert found["skipped"] == found["other_skipped"]
    assert all(o["exact"] and o["differing"] == 0 for o in found["outputs"] + found["layers"] if o["samples"])
    assert done.returncode == (tool.DONE if found["compared_outputs"] else tool.ERROR)
    if not found["compared_outputs"] and found["outputs"]:
        assert found["refusal"] and "no output could be compared" in done.stderr


def test_every_layer_has_its_counterpart(corpus_model, tmp_path):
    """What the recipes change is how constants are stored: no layer is lost or mixed up."""
    name, path = corpus_model
    small = tool.expect(path, "weight_only_wi8_afp32")
    (tmp_path / "small.tflite").write_bytes(small.raw)
    _, found = verify(path, tmp_path / "small.tflite", "--samples", 1)
    # one layer may be in the way of those around it that have no name of their own
    assert found["unmatched"] == found["other_unmatched"] == 0
    assert all(layer["op_name"] == layer["other_op_name"] for layer in found["layers"])
    order = [layer["other_op"] for layer in found["layers"] if layer["subgraph"] == 0]
    assert order == sorted(order)


def test_pictures_of_open_size_get_one():
    """With a single pixel the model could not run."""
    path = find("mobilenet_v3_small_f32")
    done, found = verify(path, path, "--samples", 2)
    assert done.returncode == tool.DONE and found["compared_outputs"] == 1


def test_text_names_the_layer_and_the_output(tmp_path):
    path = find("face_landmark")
    small = tool.expect(path, "weight_only_wi8_afp32")
    (tmp_path / "small.tflite").write_bytes(small.raw)
    text = tool.run("verify", path, tmp_path / "small.tflite").stdout
    done, found = verify(path, tmp_path / "small.tflite")
    entry = found["layers"][found["entry_layer"]]
    worst = found["outputs"][found["worst_output"]]
    assert f"enters at operator {entry['op']}, {entry['op_name']}, '{entry['name']}'" in text
    assert f"leaves '{worst['name']}' with {entry['output_snr_db']:.1f} dB" in text
    assert f"all together with {worst['snr_db']:.1f} dB" in text
    tried = [layer["output_snr_db"] for layer in found["layers"] if layer["output_snr_db"] is not None]
    harmless = sum(layer["output_exact"] for layer in found["layers"])
    assert len(tried) + harmless == 32 and entry["output_snr_db"] == min(tried)
    # the ten worst, or all of them
    table = text.split("most harmful first\n")[1].split("\n\n")[0].splitlines()
    assert len(table) == 11 and entry["name"] in table[0] and "and " in table[10]
    every = tool.run("verify", path, tmp_path / "small.tflite", "--layers").stdout
    table = every.split("  layer\n")[1].split("\n\n")[0].splitlines()
    assert len(table) == len(found["layers"])
    assert tool.run("verify", path, tmp_path / "small.tflite", "-q").stdout == ""


def test_is_the_same_each_time(tmp_path):
    path = find("face_landmark")
    (tmp_path / "small.tflite").write_bytes(tool.expect(path, "weight_only_wi8_afp32").raw)
    arguments = ("verify", path, tmp_path / "small.tflite", "--json", "--samples", 2)
    first = tool.run(*arguments).stdout
    assert first == tool.run(*arguments, "-T", 1).stdout == tool.run(*arguments, "-T", 3).stdout
    assert first == tool.run(*arguments, "--max-memory", "64M").stdout
    assert first != tool.run(*arguments, "--seed", 5).stdout


def test_least_ratio(tmp_path):
    path = find("palm_detection_lite")
    (tmp_path / "small.tflite").write_bytes(tool.expect(path, "weight_only_wi8_afp32").raw)
    _, found = verify(path, tmp_path / "small.tflite", "--samples", 2)
    reached = min(o["snr_db"] for o in found["outputs"])
    for decibel, code in ((round(reached) - 2, tool.DONE), (round(reached) + 2, TOO_FAR)):
        done, found = verify(path, tmp_path / "small.tflite", "--samples", 2, "--min-snr", decibel)
        assert done.returncode == code and found["below_min_snr"] == (code == TOO_FAR)
        assert found["min_snr_db"] == decibel
        worst = min(o["snr_db"] for o in found["outputs"])
        assert (worst < decibel) == (code == TOO_FAR)
    assert tool.run("verify", path, path, "--samples", 1, "--min-snr", 1000).returncode == tool.DONE


def test_different_models_are_refused():
    done, found = verify(find("face_landmark"), find("hand_landmark_lite"))
    assert done.returncode == tool.ERROR
    assert found["error"]["status"] == "TQ_ERR_INVALID_ARGUMENT"
    assert "input" in found["error"]["message"] and "input" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [(), ("a",), ("a", "b", "c"), ("a", "-"), ("a", "b", "--samples", "0"), ("a", "b", "--samples", "x"),
     ("a", "b", "--min-snr", "x"), ("a", "b", "--input-range", "1,1"), ("a", "b", "--input-range", "1"),
     ("a", "b", "--recipe", "fp16"), ("a", "b", "--seed", "-1")],
)
def test_wrong_use(arguments):
    done = tool.run("verify", *arguments)
    assert done.returncode == tool.USAGE and done.stdout == "" and "tfquant verify" in done.stderr


def test_wrong_files(tmp_path):
    model = tmp_path / "model.tflite"
    model.write_bytes(edge_models.MODELS["conv_with_bias"]())
    for first, second in ((model, tmp_path / "none"), (tmp_path / "none", model)):
        done, found = verify(first, second)
        assert done.returncode == tool.ERROR and found["error"]["path"] == str(tmp_path / "none")
    np.save(tmp_path / "wrong.npy", np.zeros((7, 3), np.float32))
    done, found = verify(model, model, "--input", tmp_path / "wrong.npy")
    assert done.returncode == tool.ERROR and found["error"]["path"] == str(tmp_path / "wrong.npy")


def test_bundles(tmp_path):
    folder = models.CORPUS / "bundles"
    if not (folder / "hand_landmarker.task").exists():
        pytest.skip("there are no bundles")
    bundle, small = folder / "hand_landmarker.task", tmp_path / "small.task"
    assert tool.run("quantize", bundle, "-o", small, "-q", "-r", "fp16").returncode in (tool.DONE, tool.UNCHANGED)
    other = small if small.exists() else bundle
    done, found = verify(bundle, other, "--samples", 1)
    assert done.returncode == tool.DONE, done.stderr
    assert [m["path"] for m in found["members"]] == ["hand_detector.tflite", "hand_landmarks_detector.tflite"]
    assert found["missing"] == found["additional"] == []
    assert all(m["compared_outputs"] == len(m["outputs"]) > 0 for m in found["members"])
    # a member that only one has
    import zipfile

    with zipfile.ZipFile(other) as given, zipfile.ZipFile(tmp_path / "less.task", "w") as less:
        less.writestr("hand_detector.tflite", given.read("hand_detector.tflite"))
        less.writestr("another.tflite", given.read("hand_detector.tflite"))
    done, found = verify(bundle, tmp_path / "less.task", "--samples", 1)
    assert done.returncode == tool.DONE
    assert found["missing"] == ["hand_landmarks_detector.tflite"] and found["additional"] == ["another.tflite"]
    text = tool.run("verify", bundle, tmp_path / "less.task", "--samples", 1).stdout
    assert "only in the first bundle: hand_landmarks_detector.tflite" in text
    assert "only in the second bundle: another.tflite" in text
    # one that differs does not keep the others from being compared
    with zipfile.ZipFile(other) as given, zipfile.ZipFile(tmp_path / "swapped.task", "w") as swapped:
        swapped.writestr("hand_detector.tflite", given.read("hand_landmarks_detector.tflite"))
        swapped.writestr("hand_landmarks_detector.tflite", given.read("hand_landmarks_detector.tflite"))
    done, found = verify(bundle, tmp_path / "swapped.task", "--samples", 1)
    assert done.returncode == tool.ERROR
    assert "error" in found["members"][0] and found["members"][1]["compared_outputs"] > 0
    # a model and a bundle
    (tmp_path / "model.tflite").write_bytes(edge_models.MODELS["conv_with_bias"]())
    done, found = verify(bundle, tmp_path / "model.tflite")
    assert done.returncode == tool.ERROR and "bundle" in found["error"]["message"]
