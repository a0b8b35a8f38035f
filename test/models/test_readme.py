# SPDX-License-Identifier: Apache-2.0
"""What the README shows works: its commands run, its C example compiles and runs.

A shell block that begins with "```sh runnable" is run, in a directory with a model.tflite and with build/ in the
commands standing for the build directory; other blocks are for reading."""

import re
import shutil
import subprocess

import pytest

import edge_models
import places

README = places.PROJECT / "README.md"
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.M | re.S)


def blocks(language, word=""):
    text = README.read_text() if README.exists() else ""
    return [body for kind, rest, body in BLOCK.findall(text) if kind == language and word in rest]


def parameters(language, word=""):
    found = blocks(language, word)
    if found:
        return [pytest.param(body, id=f"{language}{i}") for i, body in enumerate(found)]
    reason = f"README.md has no {language} {word} block" if README.exists() else "there is no README.md"
    return [pytest.param("", marks=pytest.mark.skip(reason=reason))]


@pytest.fixture
def folder(tmp_path):
    """A directory with a model under the names that the README uses."""
    raw = edge_models.MODELS["conv_with_bias"]()
    for name in ("model.tflite", "in.tflite", "input.tflite"):
        (tmp_path / name).write_bytes(raw)
    return tmp_path


@pytest.mark.parametrize("body", parameters("c"))
def test_c_example_compiles_and_runs(body, folder):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    library = places.library(".a")
    if not compiler or not library:
        pytest.skip("no C compiler" if not compiler else "no static library")
    (folder / "example.c").write_text(body)
    command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{places.PROJECT / 'include'}", "example.c"]
    subprocess.run([*command, str(library), "-lz", "-lm", "-o", "example"], cwd=folder, check=True)
    if "main(" in body:
        known = {p.name: p.read_bytes() for p in folder.iterdir()}
        paths = re.findall(r'"([\w.-]+\.tflite)"', body)
        arguments = [] if paths else ["model.tflite", "small.tflite"]
        done = subprocess.run(["./example", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        made = [p for p in folder.iterdir() if p.name not in known]
        assert made and all(p.read_bytes()[4:8] == b"TFL3" for p in made), "it made no model"


@pytest.mark.parametrize("body", parameters("sh", "runnable"))
def test_commands_run(body, folder):
    known = {p.name for p in folder.iterdir()}
    script = re.sub(r"(?<![\w/])build/", f"{places.BUILD}/", body)
    done = subprocess.run(["sh", "-e", "-c", script], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() or {p.name for p in folder.iterdir()} > known, "it does nothing that can be seen"


def test_readme_says_what_it_must():
    if not README.exists():
        pytest.skip("there is no README.md")
    text = README.read_text()
    for word in ("sh examples/quickstart.sh", "sh test/run.sh", "Apache-2.0", "dynamic_wi8_afp32", "weight_only_wi8_afp32", "fp16"):
        assert word in text, f"README.md does not mention {word}"
    assert blocks("c"), "README.md has no C example"
