# SPDX-License-Identifier: Apache-2.0
"""The metadata "min_runtime_version" names the first release that has all operators as they are now."""

import pytest

import edge_models
import schema
import tool


def metadata(model):
    return {schema.text(m.name): bytes(model.data(m.buffer)) for m in schema.listed(model.t.metadata)}


# The model says 2.3.0. FULLY_CONNECTED 12 came with 2.17, DEQUANTIZE 5 with 2.7, DEQUANTIZE 3 with 1.15.
@pytest.mark.parametrize(
    "recipe, release",
    [("none", "2.3.0"), ("dynamic_wi8_afp32", "2.17.0"), ("weight_only_wi8_afp32", "2.7.0"), ("fp16", "2.3.0")],
)
def test_is_raised_and_never_lowered(recipe, release, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(edge_models.MODELS["fully_connected_with_signature"]())
    output = tool.expect(path, recipe)
    assert output.changed == (recipe != "none")
    assert metadata(output.model)["min_runtime_version"] == release.encode().ljust(16, b"\0")


def test_is_raised_where_a_rewrite_needs_it(tmp_path):
    """TILE of int8 came with 2.8."""
    import rewrite_models

    for kind, release in (("i8", b"2.8.0"), ("f32", b"2.5.0")):
        b = schema.Model(rewrite_models.joined(kind)).t
        b.metadata[0].name, b.buffers[b.metadata[0].buffer].data = "min_runtime_version", list(b"2.5.0".ljust(16, b"\0"))
        source, target = tmp_path / f"{kind}.tflite", tmp_path / f"{kind}.out"
        source.write_bytes(schema.pack(b))
        assert tool.run("rewrite", source, "-o", target).returncode == tool.DONE
        assert metadata(schema.Model(target.read_bytes()))["min_runtime_version"] == release.ljust(16, b"\0")


def test_what_is_no_version_stays(tmp_path):
    path = tmp_path / "model.tflite"
    raw = edge_models.MODELS["fully_connected_with_signature"]()
    path.write_bytes(raw.replace(b"2.3.0\0", b"soon.\0"))
    assert metadata(schema.Model(path.read_bytes()))["min_runtime_version"].startswith(b"soon.")
    assert metadata(tool.expect(path, "weight_only_wi8_afp32").model)["min_runtime_version"].startswith(b"soon.")
