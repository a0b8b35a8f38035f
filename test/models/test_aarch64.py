# SPDX-License-Identifier: Apache-2.0
"""On 64-bit ARM, emulated, the program writes the same bytes as on this machine, and the executor computes
the same bits. TFQUANT_AARCH64 names a build for it; run.sh sets it."""

import os
import pathlib
import platform
import shutil
import subprocess

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tfl

import block_models
import models
import places
import test_execute
import tool

BUILD = pathlib.Path(os.environ.get("TFQUANT_AARCH64", "/nowhere"))
EMULATOR = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]
CORPUS = (
    "conv_fc_mnist", "face_detection_short_range", "mobilenet_v3_small_f32", "selfie_segmentation", "single_fc",
)  # fmt: skip
RECIPES = ("dynamic_wi8_afp32", "dynamic_wi4b32_afp32", "fp16", "weight_only_wi8_afp32")
LAYERS_SEEN = ("int8", "int8-fast")
# The emulator computes floats with integers: what runs the model takes 200 times as long.
QUICK = [("small_blocks", "int8"), ("small_blocks", "int8-fast"), ("conv_fc_mnist", "int8-fast")]

pytestmark = [
    pytest.mark.skipif(platform.machine() in ("aarch64", "arm64"), reason="this machine is a 64-bit ARM"),
    pytest.mark.skipif(not (BUILD / "examples" / "tfquant").exists(), reason="no tfquant for 64-bit ARM is built"),
    pytest.mark.skipif(not shutil.which(EMULATOR[0]), reason=f"{EMULATOR[0]} is missing"),
]


def small_blocks():
    """An operator of each kind of sum, and functions that C libraries compute differently."""
    net = block_models.Net(13)
    image = net.new([1, 17, 17, 3], "image")
    x = net.swish(net.shifted(net.depthwise(net.conv(image, 12, 3, 2), 3, 3)))
    x = net.layer_norm(net.reshape(x, [1, 64, 12]))
    y = net.dense(x, 40)
    y = net.op("GELU", [y], net.shape(y), tfl.GeluOptionsT(approximate=False))
    x = net.add(x, block_models._attention(net, net.dense(y, 12), 2))
    y = net.op("TANH", [net.dense(net.mean(x, [-2]), 33)], [1, 1, 33])
    return net.finish([image], [net.dense(y, 10), x])


BUILT = {**block_models.MODELS, "small_blocks": small_blocks}


def path_of(name, folder):
    if name in BUILT:
        path = folder / f"{name}.tflite"
        path.write_bytes(BUILT[name]())
        return path
    path = next((p for p in models.find()[0].values() if p.stem == name), None)
    return path or pytest.skip(f"there is no {name}")


def emulated(program, *arguments):
    command = [*EMULATOR, str(BUILD / program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300)


def compare(path, folder, recipe, *more):
    here = tool.quantize(path, recipe, *more)
    target = folder / f"{recipe}.tflite"
    there = emulated("examples/tfquant", "quantize", path, "-o", target, "--recipe", recipe, "-q", *more)
    assert here.code in (tool.DONE, tool.UNCHANGED), here.message
    assert there.returncode == here.code, there.stderr
    same = (target.read_bytes() if target.exists() else b"") == here.raw
    assert same, f"{recipe} {' '.join(map(str, more))} gives other bytes"
    return here


@pytest.mark.parametrize("name", [*CORPUS, *BUILT])
def test_bytes(name, tmp_path):
    path = path_of(name, tmp_path)
    changed = [compare(path, tmp_path, recipe).changed for recipe in RECIPES]
    for recipe in LAYERS_SEEN:
        changed.append(compare(path, tmp_path, recipe, "--effort", "fast").changed)
    assert any(changed), "nothing was compared"


@pytest.mark.parametrize("name, recipe", QUICK)
def test_bytes_of_what_layers_see(name, recipe, tmp_path):
    assert compare(path_of(name, tmp_path), tmp_path, recipe, "--effort", "normal").changed


@pytest.mark.parametrize("goal", [("--max-error", "40dB"), ("--target-size", "40%")])
def test_bytes_with_a_goal(goal, tmp_path):
    assert compare(path_of("small_blocks", tmp_path), tmp_path, "int8", *goal).changed


def executed(run, path, folder, *more):
    done = run(path, folder, "--fill", 1, *more)
    assert done.returncode == 0, done.stderr
    return [p.read_bytes() for p in sorted(folder.glob("output_*.bin"))]


@pytest.mark.parametrize("name", ["face_detection_short_range", "mobilenet_v3_small_f32", "single_fc", *BUILT])
@pytest.mark.parametrize("recipe", ["none", "dynamic_wi8_afp32"])
def test_bits_that_are_executed(recipe, name, tmp_path):
    path = path_of(name, tmp_path)
    output = tool.expect(path, recipe)
    model = tmp_path / "model.tflite"
    model.write_bytes(output.raw)
    details = output.model.t.subgraphs[0]
    random = np.random.default_rng(3)
    runs = {
        "here": lambda *a: subprocess.run([str(test_execute.PROGRAM), *map(str, a)], capture_output=True, text=True),
        "there": lambda *a: emulated("test/execute/execute_model", *a),
    }
    made = {}
    for where, run in runs.items():
        for level in (test_execute.EVERY_LEVEL, test_execute.NO_LEVEL):
            folder = tmp_path / f"{where}_{level}"
            folder.mkdir()
            made[where, level] = folder
    for i, tensor in enumerate(details.tensors[int(t)] for t in details.inputs):
        shape = tensor.shape if tensor.shapeSignature is None else np.where(tensor.shapeSignature < 0, 64, tensor.shape)
        values = random.uniform(-1, 1, shape).astype(np.float32)
        for folder in made.values():
            test_execute.write(folder / f"input_{i}.bin", values)
    found = {k: executed(runs[k[0]], model, folder, "--disable", k[1]) for k, folder in made.items()}
    first = found["here", test_execute.EVERY_LEVEL]
    assert first, "nothing was computed"
    for key, outputs in found.items():
        same = outputs == first
        assert same, f"other bits: {key}"
