# SPDX-License-Identifier: Apache-2.0
"""Data of the user's: files become the inputs of a model as NumPy would have them, and options are read."""

import json
import os
import subprocess
import zipfile

import numpy as np
import pytest

import graph_builder
import models
import places
import tool

PROGRAM = places.BUILD / "test" / "unit" / "dump_data"
KINDS = {0: np.float32, 2: np.int32, 3: np.uint8, 4: np.int64, 6: np.bool_, 7: np.int16, 9: np.int8}
SHAPE = (1, 4, 6, 3)
BETWEEN = np.random.default_rng(1).random(SHAPE).astype(np.float32)


@pytest.fixture(autouse=True)
def program():
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM.name} is not built")


def add_model(shapes, kind=np.float32, signature=None):
    """A model that adds inputs of these shapes."""
    b = graph_builder.Builder()
    g = b.graph("main")
    inputs = [g.tensor(f"in{i}", shape, kind) for i, shape in enumerate(shapes)]
    if signature:
        g.t.tensors[inputs[0]].shapeSignature = np.array(signature, np.int32)
    out = g.tensor("out", shapes[0], kind)
    g.op("ADD", [inputs[0], inputs[-1]], [out])
    g.io(inputs, [out])
    return b.pack()


@pytest.fixture
def place(tmp_path):
    """A folder for data beside a model with one input."""
    (tmp_path / "model.tflite").write_bytes(add_model([SHAPE]))
    (tmp_path / "data").mkdir()
    return tmp_path


def dump(place, *more, data="data"):
    command = [str(PROGRAM), "model.tflite", data, *map(str, more)]
    return subprocess.run(command, cwd=place, capture_output=True, timeout=60)


def sets(place, *more, data="data"):
    """The sets of inputs, each a list of arrays."""
    done = dump(place, *more, data=data)
    assert done.returncode == 0, done.stderr
    found, rest = {}, done.stdout
    while rest:
        line, rest = rest.split(b"\n", 1)
        index, kind, size, *shape = map(int, line.split())
        found.setdefault(index, []).append(np.frombuffer(rest[:size], KINDS[kind]).reshape(shape))
        rest = rest[size:]
    assert list(found) == list(range(len(found)))
    return list(found.values())


def refusal(place, *more, data="data"):
    done = dump(place, *more, data=data)
    assert done.returncode == 1 and not done.stdout, (done.returncode, done.stdout[:80])
    return done.stderr.decode()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8", "<f2", ">f2"])
def test_floats_are_read(place, kind, order):
    values = np.array(BETWEEN.astype(kind), order=order)
    np.save(place / "data" / "a.npy", values)
    ((read,),) = sets(place)
    assert read.dtype == np.float32 and np.array_equal(read, values.astype(np.float32))


def test_all_halves_are_read(place):
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    halves = halves[~np.isnan(halves)]
    (place / "model.tflite").write_bytes(add_model([(len(halves),)]))
    np.save(place / "data" / "a.npy", halves)
    ((read,),) = sets(place)
    assert read.tobytes() == halves.astype(np.float32).tobytes()


@pytest.mark.parametrize("wanted", [np.int32, np.int64, np.int8, np.uint8, np.int16])
@pytest.mark.parametrize("kind", ["|i1", "|u1", "<i2", ">i2", "<u2", "<i4", ">u4", "<i8", ">i8", "<u8", "|b1"])
def test_integers_are_read_or_refused(place, kind, wanted):
    """What fits is read, whatever the type; the ends of the types, and one beyond."""
    (place / "model.tflite").write_bytes(add_model([(1,)], wanted))
    limits, own = np.iinfo(wanted), np.dtype(kind)
    low, high = (0, 1) if own.kind == "b" else (np.iinfo(own).min, np.iinfo(own).max)
    for value in {0, 1, -1, low, high, limits.min, limits.max, limits.min - 1, limits.max + 1}:
        if not low <= value <= high:
            continue
        np.save(place / "data" / "a.npy", np.array([value]).astype(own))
        if limits.min <= value <= limits.max:
            ((read,),) = sets(place)
            assert read.dtype == wanted and int(read[0]) == value
        else:
            assert "does not fit" in refusal(place)


def test_booleans_are_read(place):
    (place / "model.tflite").write_bytes(add_model([(3,)], np.bool_))
    np.save(place / "data" / "a.npy", np.array([True, False, True]))
    ((read,),) = sets(place)
    assert read.tolist() == [True, False, True]


def test_raw_files_are_read(place):
    (place / "data" / "a.raw").write_bytes(BETWEEN.tobytes())
    (place / "data" / "b.bin").write_bytes((2 * BETWEEN).tobytes())
    (a,), (b,) = sets(place)
    assert np.array_equal(a, BETWEEN) and np.array_equal(b, 2 * BETWEEN)
    (place / "data" / "b.bin").write_bytes(BETWEEN.tobytes() + b"\0")
    message = refusal(place)
    assert "b.bin" in message and "289 bytes" in message and "288" in message


def test_one_file_may_hold_several_sets(place):
    several = np.random.default_rng(2).random((5, *SHAPE[1:])).astype(np.float32)
    for values in (several, np.asfortranarray(several), several[:, None]):
        np.save(place / "data" / "a.npy", values)
        read = sets(place)
        assert len(read) == 5 and all(np.array_equal(r[0], s[None]) for r, s in zip(read, several))
    np.save(place / "data" / "a.npy", several[0])
    ((read,),) = sets(place)
    assert read.shape == SHAPE and np.array_equal(read[0], several[0])


@pytest.mark.parametrize("signature,given,wanted", [
    ((-1, 4, 6, 3), (3, 4, 6, 3), [SHAPE] * 3),
    ((1, -1, -1, 3), (1, 9, 2, 3), [(1, 9, 2, 3)]),
    ((1, -1, -1, 3), (9, 2, 3), [(1, 9, 2, 3)]),
    ((-1, -1, -1, 3), (2, 9, 2, 3), [(1, 9, 2, 3)] * 2),
])
def test_dynamic_dimensions_are_accepted(place, signature, given, wanted):
    (place / "model.tflite").write_bytes(add_model([SHAPE], signature=signature))
    np.save(place / "data" / "a.npy", np.zeros(given, np.float32))
    assert [arrays[0].shape for arrays in sets(place)] == wanted


@pytest.mark.parametrize("given", [(1, 4, 6, 4), (4, 6), (1, 6, 4, 3), (2, 2, 4, 6, 3), ()])
def test_shapes_that_differ_are_both_named(place, given):
    np.save(place / "data" / "some name.npy", np.zeros(given, np.float32))
    message = refusal(place)
    assert "some name.npy" in message and "in0" in message
    assert str(list(given)) in message and str(list(SHAPE)) in message


def test_sets_are_sorted_by_the_bytes_of_names(place):
    names = ["b.npy", "a10.npy", "a2.npy", "B.npy", "é.npy", "z.raw"]
    for i, name in enumerate(names):
        values = BETWEEN + i
        (place / "data" / name).write_bytes(values.tobytes()) if name.endswith(".raw") else np.save(place / "data" / name, values)
    (place / "data" / ".hidden.npy").write_bytes(b"")
    (place / "data" / "notes.txt").write_bytes(b"")
    read = [round(float(arrays[0].ravel()[0] - BETWEEN.ravel()[0])) for arrays in sets(place)]
    assert [names[i] for i in read] == sorted(names, key=os.fsencode)


def test_several_inputs_are_told_by_numbers(place):
    (place / "model.tflite").write_bytes(add_model([(2,), (2,)]))
    for name, value in (("x", 1), ("x.y", 3), ("w", 5)):
        for i in (0, 1):
            np.save(place / "data" / f"{name}.{i}.npy", np.full(2, value + i, np.float32))
    assert [[a[0] for a in arrays] for arrays in sets(place)] == [[5, 6], [1, 2], [3, 4]]

    np.save(place / "data" / "x.0.npy", np.zeros((3, 2), np.float32))
    message = refusal(place)
    assert "x.1.npy" in message and "1 sets" in message and "3" in message
    (place / "data" / "x.1.npy").unlink()
    assert "there is no 'x.1.npy'" in refusal(place)
    (place / "data" / "x.0.npy").rename(place / "data" / "x.npy")
    assert "NAME.0.npy to NAME.1.npy" in refusal(place)
    (place / "data" / "x.npy").unlink()
    (place / "data" / "w.0.raw").write_bytes(bytes(8))
    assert "another file for the same input" in refusal(place)
    (place / "data" / "w.0.raw").rename(place / "data" / "z.2.raw")
    assert "z.2.raw" in refusal(place)


def test_pictures_need_a_range(place):
    pixels = np.arange(72, dtype=np.uint8).reshape(SHAPE) * 3
    np.save(place / "data" / "a.npy", pixels)
    assert "--input-range" in refusal(place)
    ((read,),) = sets(place, -1, 1)
    assert np.allclose(read, pixels / 127.5 - 1, atol=1e-6)
    np.save(place / "data" / "a.npy", pixels.astype(np.int32))
    assert "int32" in refusal(place, -1, 1)


@pytest.mark.parametrize("change,said", [
    (lambda p: p.write_bytes(p.read_bytes()[:-1]), "truncated"),
    (lambda p: p.write_bytes(b""), "empty"),
    (lambda p: p.write_bytes(b"PK\3\4" + bytes(60)), "not a .npy"),
    (lambda p: np.save(p, np.full(SHAPE, np.nan, np.float32)), "not a number"),
    (lambda p: np.save(p, np.full(SHAPE, 1e300)), "too large for float32"),
    (lambda p: np.save(p, np.zeros(SHAPE, np.complex64)), "<c8"),
    (lambda p: np.save(p, np.array([{}], object)), "Python objects"),
    (lambda p: np.save(p, np.zeros(3, "i4,f4")), "records"),
    (lambda p: (p.unlink(), os.mkfifo(p)), "not a regular file"),
    (lambda p: (p.unlink(), p.symlink_to("nowhere")), "No such file"),
])
def test_bad_files_are_named(place, change, said):
    path = place / "data" / "the one.npy"
    np.save(path, BETWEEN)
    change(path)
    message = refusal(place)
    assert "the one.npy" in message and said in message


def test_folders_without_data_are_named(place):
    assert "there is no .npy" in refusal(place)
    assert "No such file" in refusal(place, data="nothing")
    assert "neither a folder" in refusal(place, data="model.tflite")
    np.save(place / "data" / "a.npy", BETWEEN)
    assert len(sets(place, data="data/a.npy")) == 1


# --- the command ---

WRONG = [
    ("--effort", "slow"), ("--effort", "Fast"), ("--target", "npu"), ("--target-size", "0"), ("--target-size", "0%"),
    ("--target-size", "101%"), ("--target-size", "x%"), ("--target-size", "nan%"), ("--target-size", "2X"),
    ("--target-size", "99999999999999999999"), ("--target-size", "55%5"), ("--max-error", "0"), ("--max-error", "-3"),
    ("--max-error", "inf"), ("--max-error", "0x10"), ("--max-error", "30dBm"), ("--max-error", "1.2.3"),
    ("--input-range", "1"), ("--input-range", "1,1"), ("--input-range", "0,1,2"), ("--input-range", "a,b"),
]


@pytest.mark.parametrize("option,value", WRONG, ids=lambda v: v.lstrip("-"))
def test_wrong_values_are_wrong_use(place, option, value):
    done = tool.run("quantize", place / "model.tflite", "--dry-run", option, value)
    assert done.returncode == tool.USAGE and f"'{value}' is not a" in done.stderr and not done.stdout
    assert f"{option} needs a value" in tool.run("quantize", place / "model.tflite", "--dry-run", option).stderr


@pytest.mark.parametrize("option", ["--data", "--input-range", "--effort", "--target", "--target-size", "--max-error"])
def test_help_names_the_options(option):
    page = tool.run("quantize", "--help").stdout
    assert f"      {option} " in page
    above = page.split("\nRecipes:\n")[0]
    assert max(map(len, above.splitlines())) <= 100
    assert tool.run("inspect", "x.tflite", option, "1").returncode == tool.USAGE


def refused(*arguments):
    done = tool.run("quantize", *arguments, "--dry-run")
    assert done.returncode == tool.ERROR, done.stdout + done.stderr
    return done.stderr


def test_the_command_names_files_that_are_wrong(place):
    model, data = place / "model.tflite", place / "data"
    assert str(data) in refused(model, "--data", data)
    np.save(data / "a.npy", np.zeros((1, 4, 6, 9), np.float32))
    message = refused(model, "--data", data)
    assert str(data / "a.npy") in message and "[1, 4, 6, 9]" in message and "[1, 4, 6, 3]" in message
    assert "one --data" in refused(model, "--data", data, "--data", data)


def test_data_of_bundles_is_for_models(place):
    other = add_model([(1, 5)])
    with zipfile.ZipFile(place / "two.task", "w") as bundle:
        bundle.write(place / "model.tflite", "a.tflite")
        bundle.writestr("b.tflite", other)
    with zipfile.ZipFile(place / "one.task", "w") as bundle:
        bundle.writestr("b.tflite", other)
    np.save(place / "data" / "x.npy", BETWEEN)
    data = place / "data"
    message = refused(place / "two.task", "--data", data)
    assert "2 models" in message and "PATTERN=FOLDER" in message and "a.tflite, b.tflite" in message
    message = refused(place / "two.task", "--data", f"a*={data}", "--data", f"c*={data}")
    assert "'c*'" in message and "a.tflite, b.tflite" in message
    message = refused(place / "two.task", "--data", f"b*={data}")
    assert "x.npy" in message and "[1, 4, 6, 3]" in message and "[1, 5]" in message
    assert "[1, 5]" in refused(place / "one.task", "--data", data)
    # The first that fits counts, as with --member.
    assert "[1, 5]" in refused(place / "two.task", "--data", f"*={data}", "--data", "a*=nothing")
    assert "nothing: can't be opened" in refused(place / "two.task", "--data", "a*=nothing", "--data", f"*={data}")


# --- the library with data ---


@pytest.fixture
def stem():
    """A small real model: its path, and the shape of its input."""
    found = models.find()[0]
    path = next((p for p in found.values() if p.stem == "face_detection_short_range"), None)
    if path is None:
        pytest.skip(f"face_detection_short_range is not there: {models.find()[1]}")
    if "int8 " not in tool.run("recipes").stdout:
        pytest.skip("built without what runs models")
    return path, (1, 128, 128, 3)


def smooth(shape, seed, count=1):
    """Pictures of blurred noise in [0, 1]."""
    _, height, width, channels = shape
    coarse = np.random.default_rng(seed).random((count, 6, 6, channels))
    rows = np.linspace(0, 4.99, height).astype(int)
    columns = np.linspace(0, 4.99, width).astype(int)
    return coarse[:, rows][:, :, columns].astype(np.float32)


def quantized(path, tmp_path, *more):
    target = tmp_path / "out.tflite"
    done = tool.run("quantize", path, "-o", target, "-f", "--recipe", "int8", "--json", *more)
    assert done.returncode == tool.DONE, done.stderr
    return target.read_bytes(), json.loads(done.stdout)


def test_the_same_data_gives_the_same_model(stem, tmp_path):
    path, shape = stem
    pictures = smooth(shape, 1, 3).astype(np.float16).astype(np.float32)
    np.save(tmp_path / "one.npy", pictures)
    raw, report = quantized(path, tmp_path, "--data", tmp_path / "one.npy")
    assert report["data_sets"] == 3
    folder = tmp_path / "folder"
    folder.mkdir()
    np.save(folder / "a.npy", np.asfortranarray(pictures[:1].astype(">f8")))
    np.save(folder / "b.npy", pictures[1].astype(np.float16))
    (folder / "c.raw").write_bytes(pictures[2].tobytes())
    assert quantized(path, tmp_path, "--data", folder)[0] == raw
    np.save(folder / "d.npy", smooth(shape, 9, 3))
    other, report = quantized(path, tmp_path, "--data", folder)
    assert report["data_sets"] == 6 and other != raw, "data makes no difference"
    assert quantized(path, tmp_path)[0] not in (raw, other)


def test_reports_what_running_showed(stem, tmp_path):
    path, shape = stem
    np.save(tmp_path / "a.npy", smooth(shape, 1, 8))
    _, report = quantized(path, tmp_path, "--data", tmp_path / "a.npy", "--effort", "fast")
    totals = report["totals"]
    assert report["effort"] == "fast" and report["target"] == "xnnpack" and totals["goal"] == "none"
    assert 0 < totals["known_layers"] <= totals["layers"]
    assert totals["output_snr_db"] is None, "it took the time to judge the result"
    _, report = quantized(path, tmp_path, "--data", tmp_path / "a.npy")
    totals = report["totals"]
    assert report["effort"] == "normal" and 0 < totals["known_layers"] <= totals["layers"]
    assert totals["output_snr_db"] > totals["plain_output_snr_db"]
    assert all({"output_snr_db", "runtime_bytes", "is_dynamic"} <= set(e) for e in report["entries"])
    done = tool.run("quantize", path, "--dry-run", "--recipe", "int8", "--data", tmp_path / "a.npy")
    lines = done.stdout.split("\n\n")[-1].splitlines()
    assert any(line.startswith("outputs ") and "dB" in line for line in lines), done.stdout
    assert any(line.startswith("statistics ") and "8 sets" in line for line in lines), done.stdout
    assert len(lines) <= 16 and not any("nan" in line for line in lines)


@pytest.mark.parametrize("size", ["60%", "200K"])
def test_sizes_are_kept_or_said_to_be_missed(stem, tmp_path, size):
    path, _ = stem
    limit = path.stat().st_size * 0.6 if size == "60%" else 200 * 1024
    target = tmp_path / "out.tflite"
    done = tool.run("quantize", path, "-o", target, "--recipe", "int8", "--json", "--target-size", size)
    assert done.returncode == tool.DONE, done.stderr
    goal = json.loads(done.stdout)["totals"]["goal"]
    assert goal == ("reached" if target.stat().st_size <= limit else "missed")
    assert ("the goal is missed" in done.stderr) == (goal == "missed")


def test_quality_is_kept_or_said_to_be_missed(stem, tmp_path):
    path, _ = stem
    _, report = quantized(path, tmp_path, "--max-error", "20dB")
    assert report["totals"]["goal"] == "reached" and report["totals"]["output_snr_db"] >= 20
    # Its weights are float16: left as they are there is no error.
    raw, report = quantized(path, tmp_path, "--max-error", "150")
    assert report["totals"]["goal"] == "reached" and len(raw) > 0.95 * path.stat().st_size
    # What is not measured is not promised.
    _, report = quantized(path, tmp_path, "--max-error", "20dB", "--effort", "fast")
    assert report["totals"]["goal"] == "missed" and report["totals"]["output_snr_db"] is None


def test_data_without_what_runs_models_is_refused(place):
    if "int8 " in tool.run("recipes").stdout:
        pytest.skip("built with it")
    np.save(place / "data" / "a.npy", BETWEEN)
    assert "TQ_ERR_UNSUPPORTED" in refused(place / "model.tflite", "--data", place / "data")
