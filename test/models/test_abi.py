# SPDX-License-Identifier: Apache-2.0
"""The shared library through its public ABI alone."""

import ctypes as c
import math
import threading

import numpy as np
import pytest

import abi
import check_models
import edge_models
import models
import places
import schema

pytestmark = pytest.mark.no_tool


@pytest.fixture(scope="module")
def lib():
    path = places.library(".so")
    if path is None:
        pytest.skip("the shared library is not built (-Ddefault_library=both)")
    return abi.load(path)


@pytest.fixture
def raw():
    return edge_models.MODELS["if_branches_with_weights"]()


class Session:
    """Loads, quantizes, frees."""

    def __init__(self, lib):
        self.lib, self.error, self.models, self.keep = lib, abi.Error(), [], []

    def load(self, raw, **options):
        self.keep.append(raw)
        handle, chosen = c.c_void_p(), abi.LoadOptions(**options)
        status = self.lib.tq_load_memory(raw, len(raw), c.byref(chosen), c.byref(handle), c.byref(self.error))
        return self.take(status, handle)

    def take(self, status, handle):
        assert (status == abi.OK) == bool(handle), "a failed call changed its output argument"
        if status == abi.OK:
            self.models.append(handle)
        return status, handle

    def quantize(self, model, recipe=b"dynamic_wi8_afp32", options=None):
        made, handle = c.c_void_p(), c.c_void_p()
        assert self.lib.tq_recipe_create(recipe, c.byref(made), c.byref(self.error)) == abi.OK
        status = self.lib.tq_quantize(model, made, options, c.byref(handle), c.byref(self.error))
        self.lib.tq_recipe_free(made)
        return self.take(status, handle)

    def save(self, model, **options):
        data, size, chosen = c.c_void_p(), c.c_uint64(), abi.SaveOptions(**options)
        status = self.lib.tq_save_memory(model, c.byref(chosen), c.byref(data), c.byref(size), c.byref(self.error))
        if status != abi.OK:
            assert not data and not size.value, "a failed call changed its output arguments"
            return status, b""
        raw = c.string_at(data, size.value)
        self.lib.tq_memory_free(model, data, size)
        return status, raw

    def whole(self, raw, load={}, save={}, recipe=b"dynamic_wi8_afp32"):
        status, model = self.load(raw, **load)
        assert status == abi.OK, self.error.message
        status, result = self.quantize(model, recipe)
        assert status == abi.OK, self.error.message
        status, out = self.save(result, **save)
        assert status == abi.OK, self.error.message
        return out

    def close(self):
        for model in self.models:
            self.lib.tq_model_free(model)


@pytest.fixture
def session(lib):
    made = Session(lib)
    yield made
    made.close()


def test_versions(lib):
    assert lib.tq_abi_version() == 1
    assert lib.tq_version() >> 16 == 0


def test_struct_sizes_match_a_c_compiler(tmp_path):
    """The Python view of the structs is the header's: compiled and compared."""
    import shutil
    import subprocess

    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("no C compiler")
    names = {
        "tq_error": abi.Error, "tq_allocator": abi.Allocator, "tq_runner": abi.Runner, "tq_sink": abi.Sink, "tq_source": abi.Source,
        "tq_load_options": abi.LoadOptions, "tq_model_info": abi.ModelInfo, "tq_tensor_info": abi.TensorInfo,
        "tq_recipe_info": abi.RecipeInfo, "tq_quantize_options": abi.QuantizeOptions, "tq_report_entry": abi.Entry,
        "tq_report_totals": abi.Totals, "tq_save_options": abi.SaveOptions, "tq_member_info": abi.MemberInfo,
        "tq_member_recipe": abi.MemberRecipe, "tq_array": abi.Array, "tq_verify_options": abi.VerifyOptions,
        "tq_verification_info": abi.VerificationInfo, "tq_comparison": abi.Comparison,
        "tq_check_options": abi.CheckOptions, "tq_finding": abi.Finding,
        "tq_rule_info": abi.RuleInfo,
        "tq_member_recipe": abi.MemberRecipe, "tq_rewrite_info": abi.RewriteInfo,
        "tq_rewrite_options": abi.RewriteOptions, "tq_edit_info": abi.EditInfo,
        "tq_stats_options": abi.StatsOptions, "tq_stats_info": abi.StatsInfo,
    }
    lines = "".join(f'printf("%zu\\n", sizeof({n}));' for n in names)
    (tmp_path / "sizes.c").write_text(
        f"#include <tfquant/tfquant.h>\n#include <stdio.h>\nint main(void) {{ {lines} return 0; }}\n"
    )
    command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", places.PROJECT / "include"]
    subprocess.run([*map(str, command), "sizes.c", "-o", "sizes"], cwd=tmp_path, check=True)
    sizes = subprocess.run(["./sizes"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()
    assert sizes == [str(c.sizeof(s)) for s in names.values()]


def test_every_function_of_the_header_is_called_here():
    import re

    header = (places.PROJECT / "include" / "tfquant" / "tfquant.h").read_text()
    declared = set(re.findall(r"^TQ_API .*?(tq_\w+)\(", header, re.M))
    assert declared == set(abi.FUNCTIONS)


def test_load_quantize_save_memory_and_file(session, raw, tmp_path):
    source, target = tmp_path / "in.tflite", tmp_path / "out.tflite"
    source.write_bytes(raw)
    from_memory = session.whole(raw)
    assert 0 < len(from_memory) < len(raw)
    handle = c.c_void_p()
    status = session.lib.tq_load_file(str(source).encode(), None, c.byref(handle), c.byref(session.error))
    status, model = session.take(status, handle)
    assert status == abi.OK
    status, result = session.quantize(model)
    assert session.lib.tq_save_file(result, str(target).encode(), None, c.byref(session.error)) == abi.OK
    assert target.read_bytes() == from_memory
    assert session.lib.tq_save_file(result, str(target).encode(), None, c.byref(session.error)) == abi.ERR_EXISTS
    force = abi.SaveOptions(flags=abi.OVERWRITE)
    assert session.lib.tq_save_file(result, str(source).encode(), c.byref(force), c.byref(session.error)) == abi.ERR_SAME_FILE
    assert source.read_bytes() == raw
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.tflite", "out.tflite"]


def test_sink_gets_the_same_bytes(session, raw):
    expected = session.whole(raw)
    _, model = session.load(raw)
    _, result = session.quantize(model)
    parts = []
    write = abi.WRITE(lambda _, data, size: parts.append(c.string_at(data, size)) or 0)
    assert session.lib.tq_save_sink(result, c.byref(abi.Sink(write=write)), None, c.byref(session.error)) == abi.OK
    assert b"".join(parts) == expected
    refuse = abi.WRITE(lambda _, data, size: 28)
    status = session.lib.tq_save_sink(result, c.byref(abi.Sink(write=refuse)), None, c.byref(session.error))
    assert (status, session.error.status, session.error.system_code) == (abi.ERR_WRITE, abi.ERR_WRITE, 28)


def test_source_is_read_piece_by_piece(session, raw):
    """The callback sees only ranges inside the file, never all of it at once; its error comes back."""
    raw = sample()
    expected, asked, failing = session.whole(raw), [], []

    def read(_, offset, data, size):
        asked.append((offset, size))
        if failing and len(asked) > failing[0]:
            return 5
        c.memmove(data, raw[offset : offset + size], size)
        return 0

    source = abi.Source(size=len(raw), read=abi.READ(read))

    def load():
        handle = c.c_void_p()
        status = session.lib.tq_load_source(c.byref(source), None, c.byref(handle), c.byref(session.error))
        return session.take(status, handle)

    status, model = load()
    assert status == abi.OK, session.error.message
    status, out = session.save(session.quantize(model)[1])
    same = out == expected
    assert status == abi.OK and same
    assert all(offset + size <= len(raw) for offset, size in asked)
    needed = len(asked)
    for count in (0, 1, needed // 2, needed - 1):
        failing[:], asked[:] = [count], []
        status, model = load()
        if status == abi.OK:
            status, result = session.quantize(model)
        if status == abi.OK:
            status, out = session.save(result)
        assert status == abi.ERR_READ, f"read {count} of {needed} fails: {session.lib.tq_status_name(status)}"
        assert session.error.system_code == 5


def test_errors_say_what_and_where(session, raw):
    status, _ = session.load(raw[: len(raw) // 2])
    assert status in (abi.CORRUPT, abi.NOT_A_MODEL)
    error = session.error
    assert error.status == status
    assert error.message and b"\n" not in error.message
    assert session.lib.tq_status_name(status).startswith(b"TQ_ERR_")
    handle = c.c_void_p()
    assert session.lib.tq_recipe_create(b"no such recipe", c.byref(handle), c.byref(error)) == abi.UNKNOWN_RECIPE
    assert not handle
    assert session.lib.tq_load_file(b"/no/such/file", None, c.byref(handle), c.byref(error)) == abi.ERR_OPEN
    assert error.system_code == 2 and not handle
    assert session.lib.tq_load_file(b"/no/such/file", None, c.byref(handle), None) == abi.ERR_OPEN


def test_short_error_struct_is_not_overrun(session):
    """A caller whose tq_error ends before the message."""
    guard = (c.c_ubyte * 512)(*([0xAA] * 512))
    error = abi.Error.from_buffer(guard)
    error.struct_size = abi.Error.offset.offset
    handle = c.c_void_p()
    session.lib.tq_load_file(b"/no/such/file", None, c.byref(handle), c.byref(error))
    assert error.status == abi.ERR_OPEN
    assert set(bytes(guard)[abi.Error.offset.offset :]) == {0xAA}


def test_report(session, raw):
    lib = session.lib
    _, model = session.load(raw)
    assert lib.tq_model_report(model) is None
    _, result = session.quantize(model)
    report = lib.tq_model_report(result)
    status, out = session.save(result)
    totals, entry = abi.Totals(), abi.Entry()
    assert lib.tq_get_report_totals(report, c.byref(totals)) == abi.OK
    assert totals.changed == 1 and totals.quantized == 2
    assert (totals.file_bytes_before, totals.file_bytes_after) == (len(raw), len(out))
    names = []
    for i in range(totals.constants):
        assert lib.tq_get_report_entry(report, i, c.byref(entry)) == abi.OK
        if entry.verdict == abi.QUANTIZED:
            names.append((entry.subgraph, entry.name, entry.op_name, [entry.shape[d] for d in range(entry.rank)]))
            assert entry.elements == 16 * 64 and entry.scales == 16
            assert entry.bytes_before == 4 * entry.elements
            assert 30 < entry.snr_db < 60
    assert names == [(1, b"w", b"FULLY_CONNECTED", [16, 64]), (2, b"w", b"FULLY_CONNECTED", [16, 64])]
    assert math.isfinite(totals.mean_snr_db)
    assert lib.tq_get_report_entry(report, totals.constants, c.byref(entry)) == abi.INVALID_ARGUMENT


def test_report_values_have_names(lib):
    assert [lib.tq_verdict_name(v) for v in range(4)] == [b"kept", b"quantized", b"float16", b"folded"]
    reasons = [lib.tq_reason_name(r) for r in range(18)]
    assert len(set(reasons)) == 18 and b"unknown" not in reasons
    assert lib.tq_reason_name(9999) == b"unknown" and lib.tq_verdict_name(77) == b"unknown"
    assert all(lib.tq_reason_text(r) for r in range(1, 18))
    assert lib.tq_type_name(0) == b"FLOAT32" and lib.tq_type_name(77) == b"unknown"


def test_saved_model_can_be_inspected(session, raw):
    status, again = session.load(session.whole(raw))
    assert status == abi.OK, session.error.message
    info, tensor = abi.ModelInfo(), abi.TensorInfo()
    assert session.lib.tq_get_model_info(again, c.byref(info)) == abi.OK
    assert (info.schema_version, info.subgraphs) == (3, 3)
    seen = 0
    for index in range(3):
        assert session.lib.tq_get_tensor_info(again, 1, index, c.byref(tensor)) == abi.OK
        if tensor.name == b"w":
            assert (tensor.scales, tensor.channel_dim, tensor.bytes) == (16, 0, 16 * 64)
            assert all(tensor.scale[i] > 0 and tensor.zero_point[i] == 0 for i in range(16))
            seen += 1
    assert seen == 1
    assert session.lib.tq_get_tensor_info(again, 3, 0, c.byref(tensor)) == abi.INVALID_ARGUMENT


def test_members_of_a_bundle(session, raw):
    """Enumerates, extracts, gives one model another recipe, walks its report, and reads the result by zipfile."""
    import io
    import zipfile

    lib, error, file = session.lib, c.byref(session.error), io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"a.tflite": raw, "folder/": b"", "folder/b.tflite": raw, "labels.txt": b"one\n"}.items():
            archive.writestr(name, content)
    status, bundle = session.load(file.getvalue())
    assert status == abi.OK, session.error.message
    info, member = abi.ModelInfo(), abi.MemberInfo()
    assert lib.tq_get_model_info(bundle, c.byref(info)) == abi.OK and (info.format, info.members) == (1, 4)
    found = []
    for i in range(info.members):
        assert lib.tq_get_member_info(bundle, i, c.byref(member)) == abi.OK
        assert (lib.tq_member_model(bundle, i) is not None) == (member.kind == 1)
        found.append((member.path, member.kind, member.size))
    assert found == [
        (b"a.tflite", 1, len(raw)), (b"folder/", 3, 0), (b"folder/b.tflite", 1, len(raw)), (b"labels.txt", 0, 4)
    ]
    assert lib.tq_get_member_info(bundle, 4, c.byref(member)) == abi.INVALID_ARGUMENT
    parts = []
    write = abi.WRITE(lambda _, data, size: parts.append(c.string_at(data, size)) or 0)
    assert lib.tq_extract_member(bundle, 2, c.byref(abi.Sink(write=write)), error) == abi.OK
    assert b"".join(parts) == raw

    none = c.c_void_p()
    assert lib.tq_recipe_create(b"none", c.byref(none), error) == abi.OK
    choice = abi.MemberRecipe(pattern=b"*/b.*", recipe=none)
    options = abi.QuantizeOptions(member_recipes=c.pointer(choice), n_member_recipes=1)
    status, result = session.quantize(bundle, options=c.byref(options))
    assert status == abi.OK, session.error.message
    status, out = session.save(result)
    archive = zipfile.ZipFile(io.BytesIO(out))
    assert archive.testzip() is None and archive.read("folder/b.tflite") == raw
    assert archive.read("a.tflite") == session.whole(raw)
    totals, whole = abi.Totals(), abi.Totals()
    assert lib.tq_get_report_totals(lib.tq_model_report(lib.tq_member_model(result, 0)), c.byref(totals)) == abi.OK
    assert lib.tq_get_report_totals(lib.tq_model_report(result), c.byref(whole)) == abi.OK
    assert totals.quantized == whole.quantized == 2 and whole.constants > totals.constants
    assert (whole.file_bytes_before, whole.file_bytes_after) == (len(file.getvalue()), len(out))
    choice.pattern = b"c.*"
    assert session.quantize(bundle, options=c.byref(options))[0] == abi.INVALID_ARGUMENT
    assert b"c.*" in session.error.message


def with_size(struct, size, tail=b""):
    """The struct's bytes with another struct_size, and `tail` behind them."""
    struct.struct_size = size
    return c.create_string_buffer(bytes(struct) + tail + bytes(8), len(bytes(struct)) + len(tail) + 8)


def test_options_of_older_and_newer_callers(session, raw):
    lib, load, known = session.lib, abi.LoadOptions(), c.sizeof(abi.LoadOptions)
    cases = {
        "older: no max_memory": (abi.LoadOptions.max_memory.offset, b"", True),
        "older: only the size": (4, b"", True),
        "newer, rest zero": (known + 8, bytes(8), True),
        "newer, rest used": (known + 8, b"\1" + bytes(7), False),
        "no size at all": (0, b"", False),
    }
    for what, (size, tail, accepted) in cases.items():
        buffer, handle = with_size(load, size, tail), c.c_void_p()
        status = lib.tq_load_memory(raw, len(raw), buffer, c.byref(handle), c.byref(session.error))
        session.take(status, handle)
        assert (status == abi.OK) == accepted, f"{what}: {lib.tq_status_name(status)}"
        assert accepted or status == abi.INVALID_ARGUMENT


def test_older_caller_gets_defaults_for_what_it_does_not_have(session, raw):
    """The bytes behind a smaller struct are not read: here they would set a limit of 1 byte."""
    options = abi.LoadOptions(max_memory=1)
    buffer, handle = with_size(options, abi.LoadOptions.max_memory.offset), c.c_void_p()
    status = session.lib.tq_load_memory(raw, len(raw), buffer, c.byref(handle), c.byref(session.error))
    assert session.take(status, handle)[0] == abi.OK, session.error.message


def test_result_structs_of_older_callers_are_not_overrun(session, raw):
    _, model = session.load(raw)
    guard = (c.c_ubyte * 256)(*([0xAA] * 256))
    info = abi.ModelInfo.from_buffer(guard)
    info.struct_size = abi.ModelInfo.subgraphs.offset
    assert session.lib.tq_get_model_info(model, c.byref(info)) == abi.OK
    assert info.file_size == len(raw)
    assert set(bytes(guard)[abi.ModelInfo.subgraphs.offset :]) == {0xAA}


def test_quantize_and_save_options_of_newer_callers(session, raw):
    _, model = session.load(raw)
    quantize, save = abi.QuantizeOptions(), abi.SaveOptions()
    for tail, accepted in ((bytes(8), True), (b"\1" + bytes(7), False)):
        status, result = session.quantize(model, options=with_size(quantize, c.sizeof(quantize) + 8, tail))
        assert (status == abi.OK) == accepted
        _, result = session.quantize(model)
        buffer = with_size(save, c.sizeof(save) + 8, tail)
        assert (session.lib.tq_save_sink(result, None, buffer, c.byref(session.error)) == abi.OK) == accepted


def test_allocator_is_used_and_gets_all_back(session, raw):
    libc, held = c.CDLL(None), {}
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = c.c_void_p, [c.c_size_t], [c.c_void_p]
    wrong = []

    def alloc(_, size):
        memory = libc.malloc(size or 1)
        held[memory] = size
        return memory

    def free(_, memory, size):
        if held.pop(memory, None) != size:
            wrong.append((memory, size))
        libc.free(memory)

    allocator = abi.Allocator(alloc=abi.ALLOC(alloc), free=abi.FREE(free))
    mine = Session(session.lib)
    out = mine.whole(raw, load={"allocator": c.pointer(allocator)})
    assert held, "the allocator was not called"
    mine.close()
    assert not held and not wrong
    assert out == session.whole(raw)


def test_failing_allocator_at_every_call(session):
    """Out of memory at any moment is an error, and nothing leaks."""
    raw = edge_models.MODELS["half_behind_dequantize"]()
    libc = c.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = c.c_void_p, [c.c_size_t], [c.c_void_p]
    state = {"left": 0, "held": 0}

    def alloc(_, size):
        state["left"] -= 1
        if state["left"] < 0:
            return None
        state["held"] += 1
        return libc.malloc(size or 1)

    def free(_, memory, size):
        state["held"] -= 1 if memory else 0
        libc.free(memory)

    allocator = abi.Allocator(alloc=abi.ALLOC(alloc), free=abi.FREE(free))
    for count in range(2000):
        state["left"] = count
        mine = Session(session.lib)
        status, model = mine.load(raw, allocator=c.pointer(allocator))
        if status == abi.OK:
            status, result = mine.quantize(model)
        if status == abi.OK:
            status, out = mine.save(result)
        mine.close()
        assert state["held"] == 0, f"call {count}: {state['held']} pieces leaked"
        if status == abi.OK:
            assert count > 0
            return
        assert status == abi.OUT_OF_MEMORY, f"call {count}: {session.lib.tq_status_name(status)}"
    raise AssertionError("never enough memory")


def test_memory_limit(session, raw):
    status, _ = session.load(raw, max_memory=64)
    assert status == abi.MEMORY_LIMIT


def test_cancel(session, raw):
    _, model = session.load(raw)
    _, result = session.quantize(model)
    calls = []
    progress = abi.PROGRESS(lambda _, done, total: calls.append((done, total)) or 1)
    assert session.save(result, progress=progress)[0] == abi.CANCELLED
    assert len(calls) == 1
    calls.clear()
    progress = abi.PROGRESS(lambda _, done, total: calls.append((done, total)) and 0 or 0)
    status, out = session.save(result, progress=progress)
    assert status == abi.OK and calls[-1] == (len(out), len(out))


def thread_runner(workers):
    """A tq_runner on Python threads: task i goes to worker i % workers."""

    def run(_, task, data, count):
        def work(worker):
            for i in range(worker, count, workers):
                task(data, i, worker)

        threads = [threading.Thread(target=work, args=(w,)) for w in range(workers)]
        [t.start() for t in threads]
        [t.join() for t in threads]

    return abi.Runner(workers=workers, run=abi.RUN(run))


def sample():
    """A model with some work in it: the largest below 3 MB, or a generated one."""
    paths = sorted(models.find()[0].values(), key=lambda p: p.stat().st_size)
    paths = [p for p in paths if p.stat().st_size < 3 << 20]
    return paths[-1].read_bytes() if paths else edge_models.MODELS["conv_with_bias"]()


def test_bytes_do_not_depend_on_threads_or_cpu(session):
    raw = sample()
    expected = session.whole(raw)
    for workers in (1, 2, 3, 8):
        assert session.whole(raw, save={"runner": c.pointer(thread_runner(workers))}) == expected, f"{workers} workers"
    for disabled in (1, 2, 3, 7):
        assert session.whole(raw, load={"cpu_disable": disabled}) == expected, f"without CPU features {disabled}"


def test_unaligned_input(session):
    raw = sample()
    expected = session.whole(raw)
    for shift in (1, 2, 3, 4, 8):
        memory = c.create_string_buffer(bytes(shift) + raw, len(raw) + shift)
        handle = c.c_void_p()
        start = c.addressof(memory) + shift
        status = session.lib.tq_load_memory(start, len(raw), None, c.byref(handle), c.byref(session.error))
        session.keep.append(memory)
        _, model = session.take(status, handle)
        assert session.save(session.quantize(model)[1])[1] == expected, f"shifted by {shift}"


def test_models_may_be_freed_in_any_order(lib, raw):
    mine = Session(lib)
    _, model = mine.load(raw)
    _, result = mine.quantize(model)
    lib.tq_model_free(mine.models.pop(0))
    status, out = mine.save(result)
    assert status == abi.OK and schema.Model(out).t.version == 3
    lib.tq_model_free(None)
    lib.tq_recipe_free(None)
    mine.close()


def test_saving_twice_gives_the_same(session, raw):
    _, model = session.load(raw)
    _, result = session.quantize(model)
    assert session.save(result) == session.save(result)


def test_quantizing_a_result_again_changes_nothing(session, raw):
    status, again = session.load(session.whole(raw))
    assert status == abi.OK, session.error.message
    status, result = session.quantize(again)
    totals = abi.Totals()
    session.lib.tq_get_report_totals(session.lib.tq_model_report(result), c.byref(totals))
    assert status == abi.OK and totals.changed == 0


def test_verify(session):
    """Every function of the comparison; without the executor it says that there is none."""
    lib, raw = session.lib, edge_models.MODELS["conv_with_bias"]()
    _, reference = session.load(raw)
    _, other = session.load(session.whole(raw))
    handle, options = c.c_void_p(), abi.VerifyOptions(n_sets=2)
    status = lib.tq_verify(reference, other, c.byref(options), c.byref(handle), c.byref(session.error))
    if status == abi.UNSUPPORTED:
        assert not handle and b"without its executor" in session.error.message
        return
    assert status == abi.OK, session.error.message
    info, output, layer = abi.VerificationInfo(), abi.Comparison(), abi.Comparison()
    assert lib.tq_get_verification_info(handle, c.byref(info)) == abi.OK
    assert info.n_sets == 2 and info.compared_outputs == info.outputs > 0 and info.layers > 0
    assert lib.tq_get_output_comparison(handle, info.worst_output, c.byref(output)) == abi.OK
    assert lib.tq_get_layer_comparison(handle, info.entry_layer, c.byref(layer)) == abi.OK
    assert 20 < output.snr_db < 60 and output.sets > 0 and layer.op_name == b"CONV_2D"
    assert lib.tq_get_layer_comparison(handle, info.layers, c.byref(layer)) == abi.INVALID_ARGUMENT
    lib.tq_verification_free(handle)


def test_rewrite(lib, session):
    """From Python: the edits are told, and the result is a model like any other."""
    import rewrite_models

    _, model = session.load(rewrite_models.joined("f32"))
    names = (c.c_char_p * 1)(b"broadcast-to-tile")
    for options, count in ((None, 1), (abi.RewriteOptions(names=names, n_names=1), 1), (abi.RewriteOptions(names=names), 0)):
        handle, edit = c.c_void_p(), abi.EditInfo()
        chosen = c.byref(options) if options else None
        assert lib.tq_rewrite(model, chosen, c.byref(handle), c.byref(session.error)) == abi.OK
        session.take(abi.OK, handle)
        assert lib.tq_edit_count(handle) == count
        if count:
            assert lib.tq_get_edit_info(handle, 0, c.byref(edit)) == abi.OK
            assert (edit.rewrite, edit.op_name, edit.op, edit.name) == (b"broadcast-to-tile", b"BROADCAST_TO", 0, b"wide")
        assert lib.tq_get_edit_info(handle, count, c.byref(edit)) == abi.INVALID_ARGUMENT
        status, raw = session.save(handle)
        assert status == abi.OK and schema.Model(raw).op_name(schema.Model(raw).t.subgraphs[0].operators[0]) == ("TILE" if count else "BROADCAST_TO")
        assert session.quantize(handle)[0] == abi.OK
    assert lib.tq_rewrite(model, c.byref(abi.RewriteOptions(names=(c.c_char_p * 1)(b"x"), n_names=1)), c.byref(c.c_void_p()), c.byref(session.error)) == abi.INVALID_ARGUMENT
    assert b"'x'" in session.error.message


# --- statistics ---


@pytest.fixture
def conv(session):
    """A loaded model of one convolution, and its input's shape."""
    raw = edge_models.MODELS["conv_with_bias"]()
    shape = schema.Model(raw).t.subgraphs[0]
    shape = tuple(int(d) for d in shape.tensors[int(shape.inputs[0])].shape)
    status, model = session.load(raw)
    assert status == abi.OK, session.error.message
    stats = c.c_void_p()
    if session.lib.tq_stats_create(model, None, c.byref(stats), c.byref(session.error)) == abi.UNSUPPORTED:
        pytest.skip("built without what runs models")
    session.lib.tq_stats_free(stats)
    return model, shape


def array_of(values, keep):
    """A NumPy array as a tq_array; `keep` holds what it points to."""
    shape = (c.c_int32 * values.ndim)(*values.shape)
    keep += [values, shape]
    return abi.Array(values.ctypes.data, values.nbytes, shape, values.ndim, {"float32": 0, "int32": 2}[values.dtype.name])


def quantized_with(session, model, sets):
    """The bytes of int8 with statistics of these arrays, and what the statistics say of themselves."""
    lib, stats, keep, info = session.lib, c.c_void_p(), [], abi.StatsInfo()
    assert lib.tq_stats_create(model, c.byref(abi.StatsOptions()), c.byref(stats), c.byref(session.error)) == abi.OK
    for values in sets:
        given = array_of(values, keep)
        assert lib.tq_stats_add(stats, c.byref(given), 1, c.byref(session.error)) == abi.OK, session.error.message
        keep.clear()  # nothing is borrowed
        given.data = None
    assert lib.tq_get_stats_info(stats, c.byref(info)) == abi.OK
    options = abi.QuantizeOptions(n_stats=1, stats=c.pointer(stats))
    status, result = session.quantize(model, b"int8", c.byref(options))
    lib.tq_stats_free(stats)
    assert status == abi.OK, session.error.message
    return session.save(result)[1], info


def test_statistics_of_arrays_change_the_result(session, conv):
    model, shape = conv
    random = np.random.default_rng(3)
    sets = [random.random(shape, np.float32) for _ in range(3)]
    plain = session.save(session.quantize(model, b"int8")[1])[1]
    first, info = quantized_with(session, model, sets)
    assert (info.sets, info.layers, info.known, info.refused, info.refusal) == (3, 1, 1, 0, b"")
    again, _ = quantized_with(session, model, [values.copy() for values in sets])
    other, _ = quantized_with(session, model, [values - 0.5 for values in sets])
    assert len(first) == len(again) == len(other) == len(plain)
    assert first == again
    assert len({first, other, plain}) == 3


def test_statistics_of_wrong_arrays_are_refused(session, conv):
    model, shape = conv
    lib, stats, info = session.lib, c.c_void_p(), abi.StatsInfo()
    assert lib.tq_stats_create(model, None, c.byref(stats), c.byref(session.error)) == abi.OK
    good = np.zeros(shape, np.float32)
    for values in (good[0], good[..., :-1].copy(), good.astype(np.int32), np.zeros((1,) + shape, np.float32)):
        keep = []
        given = array_of(values, keep)
        assert lib.tq_stats_add(stats, c.byref(given), 1, c.byref(session.error)) == abi.INVALID_ARGUMENT
        assert session.error.tensor >= 0
    assert lib.tq_get_stats_info(stats, c.byref(info)) == abi.OK and info.sets == 0
    lib.tq_stats_free(stats)


def found_rules(session, model, stats=None):
    """Names of the rules that find something for int8-only."""
    lib, handle, one = session.lib, c.c_void_p(), abi.Finding()
    options = abi.CheckOptions(target=5, n_stats=1 if stats else 0, stats=c.pointer(stats) if stats else None)
    assert lib.tq_check(model, c.byref(options), c.byref(handle), c.byref(session.error)) == abi.OK, session.error.message
    rules = set()
    for i in range(lib.tq_findings_count(handle)):
        assert lib.tq_get_finding(handle, i, c.byref(one)) == abi.OK
        rules.add(one.rule)
    lib.tq_findings_free(handle)
    return rules


def test_check_takes_statistics(session, conv):
    """Of inputs that are given; without any the library makes some up; without statistics it can't know."""
    status, model = session.load(check_models.detector(200))
    assert status == abi.OK
    stats, keep = c.c_void_p(), []
    assert session.lib.tq_stats_create(model, None, c.byref(stats), c.byref(session.error)) == abi.OK
    assert found_rules(session, model) == set()
    assert found_rules(session, model, stats) == {b"joined-ranges"}
    given = array_of(np.zeros((1, 16), np.float32), keep)
    assert session.lib.tq_stats_add(stats, c.byref(given), 1, c.byref(session.error)) == abi.OK
    assert found_rules(session, model, stats) == set()
    session.lib.tq_stats_free(stats)
