# SPDX-License-Identifier: Apache-2.0
"""Good and bad archives: each gives the status that its name starts with, and no harm is done."""

import ctypes as c

import pytest

import abi
import archives
import places
import test_sanitized
import tool

GOOD = [n for n in archives.ARCHIVES if archives.status(n) == "TQ_OK"]
BAD = [n for n in archives.ARCHIVES if n not in GOOD]
NO_CHANGE = ("ok_without_members", "ok_without_models")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("archives")
    archives.write_all(made)
    return made


@pytest.fixture(scope="module")
def lib():
    path = places.library(".so")
    if path is None:
        pytest.skip("the shared library is not built (-Ddefault_library=both)")
    return abi.load(path)


def from_file(lib, path, handle, error):
    return lib.tq_load_file(str(path).encode(), None, handle, error)


def from_memory(lib, path, handle, error):
    raw = path.read_bytes()
    memory = c.create_string_buffer(raw, len(raw) + 1)
    status = lib.tq_load_memory(memory, len(raw), None, handle, error)
    handle._obj.memory = memory  # it must live as long as the model
    return status


def from_callback(lib, path, handle, error):
    raw = path.read_bytes()

    def read(_, offset, data, size):
        assert offset + size <= len(raw)
        c.memmove(data, raw[offset : offset + size], size)
        return 0

    source = abi.Source(size=len(raw), read=abi.READ(read))
    status = lib.tq_load_source(c.byref(source), None, handle, error)
    handle._obj.source = source
    return status


@pytest.mark.no_tool
@pytest.mark.parametrize("load", [from_file, from_memory, from_callback])
@pytest.mark.parametrize("name", archives.ARCHIVES)
def test_status_is_the_one_expected(name, load, lib, folder):
    _, member = archives.ARCHIVES[name]
    handle, error = c.c_void_p(), abi.Error()
    status = load(lib, folder / f"{name}.zip", c.byref(handle), c.byref(error))
    lib.tq_model_free(handle)
    said = error.message.decode()
    assert lib.tq_status_name(status).decode() == archives.status(name), said
    assert bool(handle) == (status == abi.OK)
    if status != abi.OK:
        assert error.status == status and said and "\n" not in said
        assert member is None or f"member '{member}'" in said


@pytest.mark.parametrize("name", GOOD)
def test_copy_is_identical(name, folder, tmp_path):
    source, target = folder / f"{name}.zip", tmp_path / "out.zip"
    done = tool.run("quantize", source, "-o", target, "--recipe", "none")
    assert done.returncode == tool.DONE, done.stderr
    same = target.read_bytes() == source.read_bytes()
    assert same


@pytest.mark.parametrize("keep", [(), ("--keep-storage",)], ids=["stored", "as they were"])
@pytest.mark.parametrize("name", GOOD)
def test_only_models_change(name, keep, folder, tmp_path):
    source, target = folder / f"{name}.zip", tmp_path / "out.zip"
    done = tool.run("quantize", source, "-o", target, *keep)
    if name in NO_CHANGE:
        assert done.returncode == tool.UNCHANGED and not target.exists()
        return
    assert done.returncode == tool.DONE, done.stderr
    found = archives.check(source.read_bytes(), target.read_bytes(), aligned=not keep)
    assert found and all(len(after) < len(before) for before, after in found.values())


@pytest.mark.parametrize("name", BAD)
def test_failure_leaves_all_as_it_was(name, folder, tmp_path):
    source, target = folder / f"{name}.zip", tmp_path / "out.zip"
    target.write_bytes(b"precious")
    done = tool.run("quantize", source, "-o", target, "-f")
    assert done.returncode == tool.ERROR and archives.status(name) in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert target.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out.zip"]
    assert tool.run("inspect", source).returncode == tool.ERROR


@pytest.mark.skipif(not test_sanitized.SANITIZED.exists(), reason="the build with sanitizers is not there")
@pytest.mark.parametrize("name", ["ok_nested_deflated", "ok_zip64_descriptors", "ok_prefix_counted"])
def test_damaged_archives(name, folder, tmp_path):
    """Cut at many lengths, and with single bytes of the headers changed: an answer, never a finding, and what is
    written can be read."""
    raw = (folder / f"{name}.zip").read_bytes()
    source, target = tmp_path / "in.zip", tmp_path / "out.zip"
    headers = [i for i in range(len(raw)) if raw[i : i + 2] == b"PK"]
    places_in_headers = [i for h in headers for i in range(h + 2, min(h + 46, len(raw)), 5)]
    damaged = [raw[:length] for length in range(1, len(raw), len(raw) // 40)]
    damaged += [raw[:i] + bytes([raw[i] ^ 0x41]) + raw[i + 1 :] for i in places_in_headers]
    for content in damaged:
        source.write_bytes(content)
        done = test_sanitized.run("quantize", source, "-o", target, "-f", "-q", "-r", tool.PLAIN)
        assert done.returncode in (tool.DONE, tool.ERROR, tool.UNCHANGED), done.stderr[-3000:]
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr[-3000:]
        if done.returncode == tool.DONE:
            assert tool.run("inspect", target).returncode == tool.DONE
