# SPDX-License-Identifier: Apache-2.0
"""What the program does with input and output that can't be: an error, and nothing is harmed."""

import json
import os
import pathlib
import stat

import pytest

import edge_models
import tool

RECIPE = "dynamic_wi8_afp32"


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.tflite"
    path.write_bytes(edge_models.MODELS["fully_connected_with_signature"]())
    return path


def quantize(source, target, *more):
    return tool.run("quantize", source, "-o", target, "--recipe", RECIPE, *more)


def expect_error(done, *words):
    assert done.returncode == tool.ERROR, f"exit code {done.returncode}: {done.stdout}{done.stderr}"
    assert done.stderr.startswith("tfquant"), done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} is not in: {done.stderr}"


def nothing_new(folder, *known):
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in known), "files were left behind"


def test_truncated(good, tmp_path):
    raw = good.read_bytes()
    path = tmp_path / "cut.tflite"
    lengths = sorted({*range(0, 64), *range(64, len(raw), 211), len(raw) - 1})
    for length in lengths:
        path.write_bytes(raw[:length])
        done = quantize(path, tmp_path / "out.tflite")
        assert done.returncode == tool.ERROR, f"cut at {length}: exit code {done.returncode}"
        assert done.stderr.strip(), f"cut at {length}: no message"
        nothing_new(tmp_path, good, path)


def test_flipped_bytes_never_crash(good, tmp_path):
    raw = good.read_bytes()
    path, target = tmp_path / "flipped.tflite", tmp_path / "out.tflite"
    for at in range(0, 400, 3):
        changed = bytearray(raw)
        changed[at] ^= 0xFF
        path.write_bytes(changed)
        done = quantize(path, target, "-f")
        assert done.returncode in (tool.DONE, tool.ERROR, tool.UNCHANGED), f"byte {at}: exit code {done.returncode}"
        assert done.returncode != tool.ERROR or done.stderr.strip(), f"byte {at}: no message"


@pytest.mark.parametrize("content", [b"", b"hello, I am a text file\n" * 50, bytes(4096)], ids=["empty", "text", "zeros"])
def test_not_a_model(content, tmp_path):
    path = tmp_path / "in.tflite"
    path.write_bytes(content)
    expect_error(quantize(path, tmp_path / "out.tflite"), "NOT_A_MODEL")
    expect_error(tool.run("inspect", path), "NOT_A_MODEL")
    nothing_new(tmp_path, path)


def test_missing_file(tmp_path):
    expect_error(quantize(tmp_path / "not-there.tflite", tmp_path / "out.tflite"), "not-there.tflite", "OPEN")
    nothing_new(tmp_path)


def test_directory(tmp_path):
    (tmp_path / "folder").mkdir()
    expect_error(quantize(tmp_path / "folder", tmp_path / "out.tflite"), "folder")
    nothing_new(tmp_path, tmp_path / "folder")


def test_output_in_a_missing_directory(good, tmp_path):
    expect_error(quantize(good, tmp_path / "no" / "where" / "out.tflite"), "OPEN")
    nothing_new(tmp_path, good)


def test_output_is_a_directory(good, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    expect_error(quantize(good, folder, "-f"))
    nothing_new(tmp_path, good, folder)
    nothing_new(folder)


def test_existing_output_is_untouched_without_force(good, tmp_path):
    target = tmp_path / "out.tflite"
    target.write_bytes(b"precious")
    expect_error(quantize(good, target), "EXISTS", "-f")
    assert target.read_bytes() == b"precious"
    done = quantize(good, target, "-f")
    assert done.returncode == tool.DONE, done.stderr
    assert target.read_bytes()[4:8] == b"TFL3"
    nothing_new(tmp_path, good, target)


def test_existing_output_survives_a_failure(good, tmp_path):
    bad, target = tmp_path / "bad.tflite", tmp_path / "out.tflite"
    bad.write_bytes(good.read_bytes()[:1000])
    target.write_bytes(b"precious")
    expect_error(quantize(bad, target, "-f"))
    assert target.read_bytes() == b"precious"


def same(good, tmp_path):
    return good


def relative(good, tmp_path):
    return tmp_path / "x" / ".." / good.name


def symbolic_link(good, tmp_path):
    link = tmp_path / "link.tflite"
    link.symlink_to(good)
    return link


def hard_link(good, tmp_path):
    link = tmp_path / "hard.tflite"
    os.link(good, link)
    return link


@pytest.mark.parametrize("alias", [same, relative, symbolic_link, hard_link])
@pytest.mark.parametrize("recipe", ["none", RECIPE])
def test_input_is_never_overwritten(good, tmp_path, alias, recipe):
    (tmp_path / "x").mkdir()
    raw = good.read_bytes()
    target = alias(good, tmp_path)
    before = {p.name for p in tmp_path.iterdir()}
    done = tool.run("quantize", good, "-o", target, "--recipe", recipe, "-f")
    expect_error(done, "SAME_FILE")
    assert good.read_bytes() == raw and target.read_bytes() == raw
    assert {p.name for p in tmp_path.iterdir()} == before
    assert alias is not symbolic_link or target.is_symlink()


def test_full_device(good):
    full = pathlib.Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    expect_error(quantize(good, full, "-f"), "WRITE")
    assert stat.S_ISCHR(full.stat().st_mode), "the device was replaced by a file"


def test_report_that_can_not_be_printed(good, tmp_path):
    if not pathlib.Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "w") as full:
        import subprocess

        import places

        done = subprocess.run([str(places.TOOL), "inspect", str(good)], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == tool.ERROR, done.stderr


def test_read_only_directory(good, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    expect_error(quantize(good, locked / "out.tflite"))


def test_memory_limit(good, tmp_path):
    done = quantize(good, tmp_path / "out.tflite", "--max-memory", "1K")
    expect_error(done, "MEMORY_LIMIT")
    nothing_new(tmp_path, good)


@pytest.mark.parametrize(
    "words",
    [
        (), ("quantize",), ("quantize", "a.tflite"), ("quantize", "a.tflite", "-o"), ("frobnicate", "a"),
        ("quantize", "a.tflite", "-o", "b", "--no-such-option"), ("quantize", "a.tflite", "-o", "b", "--recipe", "no_such"),
        ("inspect",), ("inspect", "a", "b"), ("quantize", "a", "b", "-o", "c"),
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_wrong_use(words, tmp_path):
    done = tool.run(*words, cwd=tmp_path)
    assert done.returncode == tool.USAGE, f"exit code {done.returncode}: {done.stdout}{done.stderr}"
    assert done.stderr.strip() and not done.stdout.strip()
    nothing_new(tmp_path)


def test_errors_are_json_too(tmp_path):
    done = tool.run("inspect", tmp_path / "not-there.tflite", "--json")
    assert done.returncode == tool.ERROR
    assert json.loads(done.stdout)["error"]["status"] == "TQ_ERR_OPEN"


def test_nothing_to_do_writes_nothing(tmp_path):
    path, target = tmp_path / "in.tflite", tmp_path / "out.tflite"
    path.write_bytes(edge_models.MODELS["already_quantized"]())
    done = quantize(path, target)
    assert done.returncode == tool.UNCHANGED, done.stderr
    nothing_new(tmp_path, path)


def test_quiet_is_quiet(good, tmp_path):
    done = quantize(good, tmp_path / "out.tflite", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (tool.DONE, "", "")


def test_inspect_and_recipes_as_json(good):
    shown = json.loads(tool.run("inspect", good, "--json").stdout)
    assert shown["command"] == "inspect"
    listed = json.loads(tool.run("recipes", "--json").stdout)
    assert set(tool.RECIPES) <= {r["name"] for r in listed["recipes"]}
