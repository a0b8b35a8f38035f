# SPDX-License-Identifier: Apache-2.0
"""Files with models in them: .task, nested, .litertlm, a model with associated files. What the tools that
people use with them make of the result.

Run as a program it is the process that MediaPipe may crash in: it prints what HandLandmarker finds."""

import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import archives
import edge_models
import graph_builder
import litert
import models
import places
import tool

DEFAULT = "weight_only_wi8_afp32"
DETECTOR, LANDMARKS = "hand_detector.tflite", "hand_landmarks_detector.tflite"
WANTED_RATIO = 0.56
CAN_NOT_RUN = 77


def corpus(name):
    path = models.CORPUS / "bundles" / name
    if not path.exists() or os.environ.get("TFQUANT_MODELS") == "wheel":
        pytest.skip("there is no corpus beside the project")
    return path


def made(source, target, *more):
    """The bytes that the program makes of a file."""
    done = tool.run("quantize", source, "-o", target, *more)
    assert done.returncode == tool.DONE, done.stderr
    return target.read_bytes()


def members(raw):
    with zipfile.ZipFile(io.BytesIO(raw)) as z:
        return {info.filename: z.read(info) for info in z.infolist()}


def read(raw, path):
    """A member by its path, through nested bundles."""
    inner = members(raw)
    if path in inner:
        return inner[path]
    name = next(n for n in inner if path.startswith(n + "/") and not n.endswith("/"))
    return read(inner[name], path[len(name) + 1 :])


def deflated(raw):
    return archives.zipped([(archives.entry(n, archives.DEFLATED), c) for n, c in members(raw).items()])


def nested(raw):
    """The bundle in another, with a text and a model beside it."""
    return archives.zipped([
        (archives.entry("about.txt"), archives.NOTES),
        (archives.entry("hand_landmarker.task"), raw),
        (archives.entry("conv.tflite"), edge_models.MODELS["conv_with_bias"]()),
    ])


# ---- MediaPipe's hand landmarker ----


def picture(size=384, angle=0.0, hand=True):
    """A hand as a drawing of capsules, which HandLandmarker takes for one."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    x, y = x - size * 0.5, y - size * 0.55
    c, s = np.cos(angle), np.sin(angle)
    u, v = (x * c + y * s) / (size * 1.2), (y * c - x * s) / (size * 1.2)

    def capsule(ax, ay, bx, by, r0, r1):
        t = np.clip(((u - ax) * (bx - ax) + (v - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2), 0, 1)
        return np.hypot(u - ax - t * (bx - ax), v - ay - t * (by - ay)) / (r0 + (r1 - r0) * t)

    parts = [capsule(-0.07, 0.08, -0.23, -0.05, 0.045, 0.028), capsule(0, 0.12, 0, 0.5, 0.075, 0.08)]
    parts += [capsule(a, -0.03, b, 0.1, 0.075, 0.075) for a, b in ((-0.05, -0.04), (0.045, 0.035))]
    for at, top, lean, length, r in (
        (-0.095, -0.048, -0.22, 0.2, 0.028), (-0.036, -0.072, -0.06, 0.24, 0.03), (0.027, -0.068, 0.08, 0.225, 0.029),
        (0.081, -0.04, 0.25, 0.17, 0.025),
    ):
        parts.append(capsule(at, top, at + np.sin(lean) * length, top - np.cos(lean) * length, r * 1.15, r * 0.85))
    depth = np.minimum.reduce(parts)[..., None]
    light = 0.55 + 0.45 * np.sqrt(np.clip(1 - 0.8 * depth**2, 0, 1))
    inside = np.clip(8 * (1 - depth), 0, 1) if hand else 0
    image = np.array([90, 110, 130]) * (1 - inside) + np.array([240, 200, 170]) * light * inside
    return np.clip(image, 0, 255).astype(np.uint8)


def find_hands(path):
    """For each picture the hands in it: [handedness, score, landmarks]."""
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    raw = pathlib.Path(path).read_bytes()
    options = vision.HandLandmarkerOptions(BaseOptions(model_asset_buffer=raw), num_hands=1)
    found = []
    with vision.HandLandmarker.create_from_options(options) as landmarker:
        for image in (picture(), picture(angle=0.3), picture(hand=False)):
            result = landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, image))
            found.append([
                [side[0].category_name, side[0].score, [[p.x, p.y] for p in points]]
                for side, points in zip(result.handedness, result.hand_landmarks)
            ])
    return found


def hands(path):
    """find_hands() in a process of its own."""
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("mediapipe is not installed (requirements-bundles.txt)")
    done = subprocess.run([sys.executable, __file__, str(path)], capture_output=True, text=True, timeout=300)
    if done.returncode == CAN_NOT_RUN:
        pytest.skip(f"mediapipe does not run here: {done.stdout.strip()}")
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def expect_same_hands(before, after, same_side=True):
    """Within 5 % of the picture, or a finger's width."""
    assert [len(found) for found in before] == [1, 1, 0], "these are to be pictures of a hand, and one of none"
    assert [len(found) for found in after] == [1, 1, 0]
    for (old,), (new,) in zip(before[:2], after[:2]):
        assert new[0] == old[0] or not same_side
        distance = np.linalg.norm(np.subtract(old[2], new[2]), axis=1)
        assert len(distance) == 21 and distance.max() < 0.05


@pytest.fixture(scope="module")
def landmarker():
    return corpus("hand_landmarker.task")


def test_hand_landmarker_becomes_smaller_and_keeps_the_rest(landmarker, tmp_path, notes):
    before = landmarker.read_bytes()
    after = made(landmarker, tmp_path / "out.task")
    ratio = len(after) / len(before)
    notes.append(f"hand_landmarker.task: {len(before):,} bytes became {len(after):,}, {ratio:.3f}")
    assert ratio <= WANTED_RATIO
    assert list(archives.check(before, after)) == [DETECTOR, LANDMARKS]


@pytest.mark.parametrize("recipe", tool.RECIPES)
def test_hand_landmarker_finds_the_same_hands(recipe, landmarker, tmp_path):
    done = tool.run("quantize", landmarker, "-o", tmp_path / "out.task", "--recipe", recipe, "--effort", "fast")
    assert done.returncode == tool.DONE or (recipe == "fp16" and done.returncode == tool.UNCHANGED), done.stderr
    if done.returncode == tool.DONE:  # with int8 arithmetic it is no longer sure whose left it is
        same_side = recipe != "dynamic_wi8_afp32"
        expect_same_hands(hands(landmarker), hands(tmp_path / "out.task"), same_side)


def test_nested_hand_landmarker_finds_the_same_hands(landmarker, tmp_path):
    before = nested(landmarker.read_bytes())
    (tmp_path / "outer.task").write_bytes(before)
    after = made(tmp_path / "outer.task", tmp_path / "out.task")
    inner = f"hand_landmarker.task/{DETECTOR}", f"hand_landmarker.task/{LANDMARKS}"
    assert list(archives.check(before, after)) == [*inner, "conv.tflite"]
    (tmp_path / "inner.task").write_bytes(members(after)["hand_landmarker.task"])
    expect_same_hands(hands(landmarker), hands(tmp_path / "inner.task"))


def test_associated_files_stay_readable(tmp_path):
    source = corpus("palm_detection_with_associated_file.tflite")
    after = made(source, tmp_path / "out.tflite")
    with zipfile.ZipFile(source) as a, zipfile.ZipFile(tmp_path / "out.tflite") as b:
        assert b.testzip() is None
        assert "labels.txt" in b.namelist()
        assert {n: b.read(n) for n in b.namelist()} == {n: a.read(n) for n in a.namelist()}
    assert len(after) < 0.6 * source.stat().st_size
    assert litert.runs(litert.run(after, True))


# ---- what the program can do with members ----


def hand_bundle():
    return corpus("hand_landmarker.task").read_bytes()


def hand_bundle_deflated():
    return deflated(hand_bundle())


def hand_bundle_nested():
    return nested(hand_bundle())


def hand_bundle_nested_deflated():
    return deflated(nested(hand_bundle_deflated()))


def generated():
    return archives.ok_nested()


def generated_deflated():
    return archives.ok_nested_deflated()


@pytest.fixture(
    scope="module",
    params=[
        hand_bundle, hand_bundle_deflated, hand_bundle_nested, hand_bundle_nested_deflated,
        generated, generated_deflated,
    ],
    ids=lambda make: make.__name__,
)
def bundle(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "in.task"
    path.write_bytes(request.param())
    return path


@pytest.fixture(scope="module")
def listed(bundle):
    """What `inspect --json` tells of the bundle's members, those of nested ones behind them."""
    done = tool.run("inspect", bundle, "--json")
    assert done.returncode == tool.DONE, done.stderr

    def flat(found):
        for member in found:
            yield member
            yield from flat(member.get("members", []))

    return list(flat(json.loads(done.stdout)["members"]))


def models_in(listed):
    return [m["path"] for m in listed if m["kind"] == "model"]


def test_inspect_lists_the_members(bundle, listed):
    def flat(raw, before=""):
        with zipfile.ZipFile(io.BytesIO(raw)) as z:
            for info in z.infolist():
                content, path = z.read(info), before + info.filename
                kind = "model" if archives.is_model(content) else "bundle" if archives.is_archive(content) else "other"
                yield (
                    info.filename, path, "directory" if info.is_dir() else kind, info.file_size, info.compress_size,
                    info.compress_type == archives.DEFLATED,
                )
                if kind == "bundle":
                    yield from flat(content, path + "/")

    keys = "name", "path", "kind", "size", "stored_size", "deflated"
    assert [tuple(m[k] for k in keys) for m in listed] == list(flat(bundle.read_bytes()))


def test_extract_gives_every_members_bytes(bundle, listed, tmp_path):
    for number, member in enumerate(listed):
        target = tmp_path / f"{number}"
        done = tool.run("inspect", bundle, "--extract", member["path"], "-o", target)
        if member["kind"] == "directory":
            assert done.returncode == tool.ERROR and not target.exists()
            continue
        assert done.returncode == tool.DONE, done.stderr
        same = target.read_bytes() == read(bundle.read_bytes(), member["path"])
        assert same, member["path"]
    last = next(m["path"] for m in listed if m["kind"] == "model")
    command = [str(places.TOOL), "inspect", str(bundle), "--extract", last]
    piped = subprocess.run(command, stdout=subprocess.PIPE, timeout=120, check=True).stdout
    same = piped == read(bundle.read_bytes(), last)
    assert same, "to a pipe"
    done = tool.run("inspect", bundle, "--extract", "no/such", "-o", tmp_path / "x")
    assert done.returncode == tool.ERROR and "no/such" in done.stderr and not (tmp_path / "x").exists()


def alone(bundle, path, recipe, folder):
    """What the model gives when it is quantized by itself."""
    source, target = folder / "alone.tflite", folder / "alone.out.tflite"
    source.write_bytes(read(bundle.read_bytes(), path))
    done = tool.run("quantize", source, "-o", target, "-f", "--recipe", recipe, "--effort", "fast")
    return target.read_bytes() if done.returncode == tool.DONE else source.read_bytes()


def test_member_recipes(bundle, listed, tmp_path):
    """The first pattern that fits counts, --recipe where none does; '*' reaches into nested bundles."""
    paths = models_in(listed)
    first, end = paths[0], paths[-1][-9:]
    choices = f"{first}=none", f"*{end}=dynamic_wi8_afp32", f"?{first[1:]}=fp16"
    options = [word for choice in choices for word in ("--member", choice)]
    done = tool.run("quantize", bundle, "-o", tmp_path / "out.task", "--recipe", DEFAULT, "--json", *options)
    assert done.returncode == tool.DONE, done.stderr
    after = (tmp_path / "out.task").read_bytes()
    expected = {path: "dynamic_wi8_afp32" if path.endswith(end) else DEFAULT for path in paths} | {first: "none"}
    told = json.loads(done.stdout)["members"]
    assert {m["path"]: (m["recipe"], m["changed"]) for m in told} == {p: (r, r != "none") for p, r in expected.items()}
    assert read(after, first) == read(bundle.read_bytes(), first)
    for path, recipe in list(expected.items())[1:]:
        same = read(after, path) == alone(bundle, path, recipe, tmp_path)
        assert same, f"{path} is not what {recipe} makes of it"


@pytest.mark.parametrize("recipe", tool.QUANTIZING)
def test_models_are_what_they_would_be_alone(recipe, bundle, listed, tmp_path):
    done = tool.run("quantize", bundle, "-o", tmp_path / "out.task", "--recipe", recipe, "--effort", "fast")
    assert done.returncode in (tool.DONE, tool.UNCHANGED), done.stderr
    if done.returncode == tool.DONE:
        after = (tmp_path / "out.task").read_bytes()
        archives.check(bundle.read_bytes(), after)
    for path in models_in(listed):
        by_itself = alone(bundle, path, recipe, tmp_path)
        same = by_itself == read(after if done.returncode == tool.DONE else bundle.read_bytes(), path)
        assert same, path


@pytest.mark.parametrize("choice", ["nothing*=fp16", "notes.txt=fp16", "inner.task=fp16", "*.tflit=fp16"])
def test_pattern_that_fits_no_model_is_an_error(choice, tmp_path):
    source, target = tmp_path / "in.task", tmp_path / "out.task"
    source.write_bytes(archives.ok_nested())
    target.write_bytes(b"precious")
    done = tool.run("quantize", source, "-o", target, "-f", "--member", "*=fp16", "--member", choice)
    assert done.returncode == tool.ERROR, done.stdout + done.stderr
    assert choice.split("=")[0] in done.stderr
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize("choice", ["fp16", "=fp16", "*=", "*=no_such"])
def test_member_option_that_can_not_be_read(choice, tmp_path):
    source = tmp_path / "in.task"
    source.write_bytes(archives.ok_nested())
    done = tool.run("quantize", source, "-o", tmp_path / "out.task", "--member", choice)
    assert done.returncode == tool.USAGE and done.stderr.strip()
    assert [p.name for p in tmp_path.iterdir()] == ["in.task"]


def test_keep_storage(bundle, tmp_path):
    """Deflated models stay deflated; their content is the same as without it."""
    before = bundle.read_bytes()
    kept, stored = made(bundle, tmp_path / "a", "--keep-storage"), made(bundle, tmp_path / "b")
    with_it, without = archives.check(before, kept, aligned=False), archives.check(before, stored)
    assert with_it == without


def test_bytes_do_not_depend_on_how_they_are_made(bundle, tmp_path):
    for more in ((), ("--keep-storage",), ("--recipe", "dynamic_wi8_afp32")):
        expected = made(bundle, tmp_path / "out", "-f", *more)
        for way in (("-T", "1"), ("-T", "2"), ("-T", "7"), ("--max-memory", "64M")):
            same = made(bundle, tmp_path / "out", "-f", *more, *way) == expected
            assert same, f"{more} {way}"
        for threads in ("1", "2"):
            recipe = () if "--recipe" in more else ("--recipe", tool.PLAIN)
            command = [str(places.TOOL), "quantize", str(bundle), "-o", "-", "-T", threads, *more, *recipe]
            piped = subprocess.run(command, capture_output=True, timeout=120, check=True).stdout
            same = piped == expected
            assert same, f"{more} to a pipe, {threads} threads"


def test_dry_run_tells_the_exact_size(bundle, tmp_path):
    for more in ((), ("--keep-storage",)):
        after = made(bundle, tmp_path / "out", "-f", *more)
        done = tool.run("quantize", bundle, "--dry-run", "--json", *more)
        assert done.returncode == tool.DONE, done.stderr
        assert json.loads(done.stdout)["totals"]["file_bytes_after"] == len(after)


def test_a_result_quantized_again_is_unchanged(bundle, tmp_path):
    made(bundle, tmp_path / "once")
    done = tool.run("quantize", tmp_path / "once", "-o", tmp_path / "twice")
    assert done.returncode == tool.UNCHANGED, done.stderr
    assert not (tmp_path / "twice").exists()


def test_bundle_that_needs_more_memory_than_allowed(tmp_path):
    source = tmp_path / "in.task"
    source.write_bytes(archives.ok_nested_deflated())
    for more in ("--max-memory", "--max-output"):
        done = tool.run("quantize", source, "-o", tmp_path / "out.task", more, "2K")
        wanted = "MEMORY_LIMIT" if more == "--max-memory" else "TOO_LARGE"
        assert done.returncode == tool.ERROR and wanted in done.stderr, done.stderr
        assert [p.name for p in tmp_path.iterdir()] == ["in.task"]


# ---- .litertlm ----


PAGE = 16384


def large(seed):
    """A model of several pages."""
    b = graph_builder.Builder()
    g = b.graph("main")
    x, y = g.tensor("x", [1, 300]), g.tensor("y", [1, 100])
    g.fc(x, g.const("w", graph_builder.weights(100, 300, seed=seed)), y)
    g.io([x], [y])
    return b.pack()


TOKENIZER = bytes(range(256)) * 100 + b"odd"


@pytest.fixture
def litertlm(tmp_path):
    """Two models, with a tokenizer and other data between and behind them, as Google's own builder writes them."""
    reason = "litert-lm-builder is not installed (requirements-bundles.txt)"
    builder = pytest.importorskip("litert_lm_builder.litertlm_builder", reason=reason)
    sections = {"a.tflite": large(1), "b.tflite": large(2), "tokenizer.spiece": TOKENIZER, "other.bin": archives.NOTES}
    for name, content in sections.items():
        (tmp_path / name).write_bytes(content)
    kind, path = builder.TfLiteModelType, lambda name: str(tmp_path / name)
    b = builder.LitertLmFileBuilder()
    b.add_system_metadata(builder.Metadata("Authors", "who wrote this", builder.DType.STRING))
    b.add_tflite_model(path("a.tflite"), kind.EMBEDDER, backend_constraint="cpu")
    b.add_sentencepiece_tokenizer(path("tokenizer.spiece"))
    b.add_tflite_model(path("b.tflite"), kind.VISION_ENCODER)
    b.add_generic_binary_data(path("other.bin"))
    target = tmp_path / "in.litertlm"
    with open(target, "wb") as f:
        b.build(f)
    return target


def peek(path, folder):
    """What litert-lm-peek tells but for offsets, which are to be on pages, and {file name: bytes} of the sections
    that it dumps."""
    command = [sys.executable, "-m", "litert_lm_builder.litertlm_peek_main"]
    command += ["--litertlm_file", str(path), "--dump_files_dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    starts = [int(line.split()[-1]) for line in done.stdout.splitlines() if "Begin Offset: " in line]
    assert starts and all(start % PAGE == 0 for start in starts), starts
    told = [line for line in done.stdout.splitlines() if " Offset: " not in line and str(folder) not in line]
    return told, {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_litertlm_goes_through(litertlm, tmp_path):
    raw = litertlm.read_bytes()
    assert made(litertlm, tmp_path / "same.litertlm", "--recipe", "none") == raw
    out = tmp_path / "out.litertlm"
    after = made(litertlm, out, "--member", "TFLiteModel_2=dynamic_wi8_afp32")
    assert len(after) < len(raw)
    told, old = peek(litertlm, tmp_path / "old")
    told_after, new = peek(out, tmp_path / "new")
    assert told_after == told
    assert list(new) == list(old)
    found = [name for name in old if name.endswith(".tflite")]
    assert len(found) == 2 and TOKENIZER in new.values() and archives.NOTES in new.values()
    for name in old:
        if name not in found:
            assert new[name] == old[name], name
            continue
        recipe = DEFAULT if "embedder" in name else "dynamic_wi8_afp32"
        (tmp_path / name).write_bytes(old[name])
        by_itself = made(tmp_path / name, tmp_path / f"{name}.out", "--recipe", recipe, "--effort", "fast")
        assert new[name] == by_itself and len(new[name]) < len(old[name]), name
        result = litert.run(new[name], True)
        assert litert.runs(result), litert.says(result)


def test_litertlm_members(litertlm, tmp_path):
    done = tool.run("inspect", litertlm, "--json")
    shown = json.loads(done.stdout)
    assert shown["format"] == "litertlm"
    assert [(m["path"], m["kind"]) for m in shown["members"]] == [
        ("TFLiteModel", "model"), ("SP_Tokenizer", "other"), ("TFLiteModel_2", "model"), ("GenericBinaryData", "other"),
    ]
    for name, content in ("SP_Tokenizer", TOKENIZER), ("TFLiteModel_2", large(2)):
        done = tool.run("inspect", litertlm, "--extract", name, "-o", tmp_path / name)
        assert done.returncode == tool.DONE, done.stderr
        assert (tmp_path / name).read_bytes() == content


def test_litertlm_in_a_zip(litertlm, tmp_path):
    """One format in the other."""
    inside = [("lm.litertlm", litertlm.read_bytes()), ("notes.txt", archives.NOTES)]
    source = tmp_path / "in.task"
    source.write_bytes(archives.zipped([(archives.entry(name), content) for name, content in inside]))
    after = members(made(source, tmp_path / "out.task"))
    assert after["notes.txt"] == archives.NOTES
    assert after["lm.litertlm"] == made(litertlm, tmp_path / "out.litertlm")


@pytest.mark.parametrize("size", [0, 8, 20, 31, 32, 100, 5000, -1])
def test_truncated_litertlm(size, litertlm, tmp_path):
    cut, target = tmp_path / "cut.litertlm", tmp_path / "out.litertlm"
    cut.write_bytes(litertlm.read_bytes()[:size])
    target.write_bytes(b"precious")
    done = tool.run("quantize", cut, "-o", target, "-f")
    assert done.returncode == tool.ERROR, done.stdout
    assert "CORRUPT" in done.stderr or (size == 0 and "NOT_A_MODEL" in done.stderr), done.stderr
    assert target.read_bytes() == b"precious"


def main(path):
    try:
        print(json.dumps(find_hands(path)))
    except (ImportError, OSError) as error:  # a library of the system is missing: libEGL, libGLESv2, libportaudio
        print(error)
        return CAN_NOT_RUN
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
