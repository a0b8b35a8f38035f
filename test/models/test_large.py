# SPDX-License-Identifier: Apache-2.0
"""A model of more than 4 GiB, whose float16 form is more than 2 GiB: read and written through 64-bit places."""

import subprocess

import pytest

import places
import schema

LAYERS, WIDTH = 70, 4096
GIB = 1 << 30


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    generator = places.BUILD / "test" / "bench" / "make_layers"
    if not generator.exists():
        pytest.skip("make_layers is not built")
    path = tmp_path_factory.mktemp("large") / "huge.tflite"
    subprocess.run([generator, path, str(LAYERS), str(WIDTH), "holes"], check=True)
    if path.stat().st_blocks * 512 > GIB:
        path.unlink()
        pytest.skip("this file system stores holes")
    yield path
    path.unlink()


def stream(path, recipe, *more):
    """Head and length of what the tool writes to its standard output."""
    command = [places.TOOL, "quantize", path, "-o", "-", "-q", "--recipe", recipe, *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        head = process.stdout.read(1 << 20)
        length = len(head)
        while piece := process.stdout.read(1 << 22):
            length += len(piece)
    assert process.returncode == 0
    return head, length


@pytest.mark.parametrize("recipe, bytes_of_weight", [("fp16", 2), ("dynamic_wi8_afp32", 1)])
def test_streams_past_4_gib(huge, recipe, bytes_of_weight):
    assert huge.stat().st_size > 4 * GIB
    head, length = stream(huge, recipe, "--max-memory", "64M")
    layer = WIDTH * WIDTH * bytes_of_weight
    assert LAYERS * layer < length < LAYERS * layer + 8 * LAYERS * WIDTH * 4 + (1 << 20)
    if length < 2 * GIB:
        assert head[4:8] == b"TFL3"
        return  # its weights are in the flatbuffer again, of which this is only the start
    model = schema.tfl.ModelT.InitFromPackedBuf(bytearray(head), 0)
    places_of_weights = [(b.offset, b.size) for b in model.buffers if b.size]
    assert len(places_of_weights) == LAYERS
    assert all(offset % 16 == 0 and size == layer for offset, size in places_of_weights)
    ends = [0] + [offset + size for offset, size in places_of_weights]
    assert all(offset >= end for (offset, _), end in zip(places_of_weights, ends))
    assert ends[-1] <= length
