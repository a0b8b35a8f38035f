# SPDX-License-Identifier: Apache-2.0
"""`sh examples/quickstart.sh` in a fresh copy of the source tree."""

import shutil
import subprocess

import pytest

import edge_models
import places
import test_layers

pytestmark = pytest.mark.no_tool


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    if not (places.PROJECT / "examples" / "quickstart.sh").exists():
        pytest.skip("there is no examples/quickstart.sh")
    root = tmp_path_factory.mktemp("fresh copy")  # a space in the path, as people have
    for path in test_layers.tracked():
        target = root / path.relative_to(places.PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return root


def run(root, *arguments, cwd):
    command = ["sh", str(root / "examples" / "quickstart.sh"), *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, errors="replace", timeout=600, stdin=subprocess.DEVNULL
    )


def test_makes_and_quantizes_a_model_of_its_own(fresh, tmp_path):
    done = run(fresh, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "quantized" in done.stdout
    assert list(fresh.rglob("*.tflite")) or list(tmp_path.glob("*.tflite")), "no model was written"


def test_quantizes_a_given_model(fresh, tmp_path):
    model = tmp_path / "my model.tflite"
    model.write_bytes(edge_models.MODELS["conv_with_bias"]())
    raw = model.read_bytes()
    done = run(fresh, model.name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "quantized" in done.stdout
    assert model.read_bytes() == raw


def test_a_missing_model_is_an_error(fresh, tmp_path):
    done = run(fresh, "not-there.tflite", cwd=tmp_path)
    assert done.returncode != 0 and "not-there.tflite" in done.stderr
