# SPDX-License-Identifier: Apache-2.0
"""The program built with AddressSanitizer and UndefinedBehaviorSanitizer, on every model: no finding, and
the same bytes as the release build."""

import os
import subprocess

import pytest

import edge_models
import places
import tool

SANITIZED = places.BUILD.parent / "build-sanitize" / "examples" / "tfquant"
ENVIRONMENT = {
    **os.environ,
    "ASAN_OPTIONS": "abort_on_error=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
pytestmark = pytest.mark.skipif(not SANITIZED.exists(), reason="the build with sanitizers is not there")


def run(*arguments):
    command = [str(SANITIZED), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, env=ENVIRONMENT)


def check(path, tmp_path, recipes=tool.RECIPES):
    for recipe in recipes:
        target = tmp_path / f"{recipe}.tflite"
        done = run("quantize", path, "-o", target, "--recipe", recipe, "--effort", "fast", "-q", "-T", "2")
        release = tool.quantize(path, recipe)
        assert done.returncode == release.code and not done.stderr, f"{recipe}: {done.returncode}\n{done.stderr[-3000:]}"
        same = (target.read_bytes() if target.exists() else b"") == release.raw
        assert same, f"{recipe}: other bytes than the release build"
    for more in ([], ["--only", "fold-densify,fold-float16,broadcast-to-mul,drop-dead"]):
        done = run("rewrite", path, "-o", tmp_path / "rewritten.tflite", "-f", "-q", *more)
        assert done.returncode in (tool.DONE, tool.UNCHANGED) and not done.stderr, done.stderr[-3000:]
    for target in ("gpu", "tflite-micro", "int8-only"):
        done = run("check", path, "--target", target, "--fix", "-o", tmp_path / "fixed.tflite", "-f", "--json")
        assert done.returncode in (tool.DONE, tool.UNCHANGED) and not done.stderr, done.stderr[-3000:]
    done = run("inspect", path, "--json")
    assert done.returncode == tool.DONE and not done.stderr, done.stderr[-3000:]


def test_corpus(corpus_model, tmp_path):
    # One of those that run the model is enough: they do the same with it.
    check(corpus_model[1], tmp_path, [r for r in tool.RECIPES if r != "int8"])


@pytest.mark.parametrize("name", edge_models.MODELS)
def test_edge_models(name, tmp_path):
    path = tmp_path / "in.tflite"
    path.write_bytes(edge_models.MODELS[name]())
    check(path, tmp_path)


@pytest.mark.parametrize("name", ["while_body_with_weights", "sparse_half_behind_densify", "custom_operator_large_options"])
def test_damaged_models(name, tmp_path):
    """Cut at many lengths, and with single bytes changed: an answer, never a finding."""
    raw = edge_models.MODELS[name]()
    path = tmp_path / "in.tflite"
    damaged = [raw[:length] for length in range(0, len(raw), max(1, len(raw) // 40))]
    for at in range(0, min(len(raw), 2400), 29):
        for value in (0, 0x7F, 0xFF):
            damaged.append(raw[:at] + bytes([value]) + raw[at + 1 :])
    for content in damaged:
        path.write_bytes(content)
        done = run("quantize", path, "-o", tmp_path / "out", "-f", "-q", "-r", tool.PLAIN)
        assert done.returncode in (tool.DONE, tool.ERROR, tool.UNCHANGED), done.stderr[-3000:]
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr[-3000:]
