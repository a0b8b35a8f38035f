# SPDX-License-Identifier: Apache-2.0
"""What the built libraries show to the linker, and what they ask of the system."""

import re
import shutil
import subprocess

import pytest

import places

pytestmark = pytest.mark.no_tool

# What the library may never do: print, end the process, start threads, change global state.
FORBIDDEN = re.compile(
    r"^_*(v?f?printf|v?dprintf|puts|fputs|putchar|putc|fputc|perror|fwrite|stdout|stderr|abort|exit|_exit|quick_exit"
    r"|assert_fail|pthread_\w+|thrd_\w+|mtx_\w+|setlocale|fesetround|fesetenv|srand|rand|getenv|setenv|signal"
    r"|sigaction|system|popen|fork|setjmp|longjmp|time|clock_gettime)(_chk)?$"
)
ALLOCATING = re.compile(r"^_*(malloc|calloc|realloc|reallocarray|free|posix_memalign|aligned_alloc|strdup|asprintf)(_chk)?$")
FILES = re.compile(r"^_*(open|openat|read|pread|write|pwrite|mmap|munmap|rename|unlink|fsync|stat|fstat|lstat|fopen)(64)?(_2|_chk)?$")
ALLOCATOR_ROOM = re.compile(r"base_heap\.c")
FILE_ROOM = re.compile(r"io_\w+\.c")


def nm(*arguments):
    tool = shutil.which("nm")
    if tool is None:
        pytest.skip("no nm")
    return subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def need(suffix):
    path = places.library(suffix)
    if path is None:
        pytest.skip(f"no {suffix} library is built")
    if "__asan" in nm("-u", path):
        pytest.skip("built with a sanitizer")
    return path


def test_shared_library_exports_only_the_api():
    path = need(".so")
    names = {line.split()[-1] for line in nm("-D", "--defined-only", path).splitlines() if line.strip()}
    names = {n.split("@")[0] for n in names}
    strangers = sorted(n for n in names if not n.startswith("tq_"))
    assert not strangers, strangers
    header = (places.PROJECT / "include" / "tfquant" / "tfquant.h").read_text()
    declared = set(re.findall(r"^TQ_API .*?(tq_\w+)\(", header, re.M))
    assert names == declared, f"missing {sorted(declared - names)}, not in the header {sorted(names - declared)}"


def test_static_library_has_only_prefixed_externals():
    names = {line.split()[-1] for line in nm("-g", "--defined-only", need(".a")).splitlines() if len(line.split()) == 3}
    strangers = sorted(n for n in names if not n.startswith(("tq_", "tqi_")))
    assert names and not strangers, strangers


def undefined_by_object(path):
    """{object file: names it takes from elsewhere}"""
    out, current = {}, None
    for line in nm("-u", path).splitlines():
        if line.endswith(":"):
            current = out.setdefault(line[:-1], set())
        elif line.strip() and current is not None:
            current.add(line.split()[-1].split("@")[0])
    return out


@pytest.mark.parametrize(
    "what,pattern,room",
    [
        ("prints, exits, starts threads or changes the process", FORBIDDEN, None),
        ("allocates", ALLOCATING, ALLOCATOR_ROOM),
        ("touches files", FILES, FILE_ROOM),
    ],
    ids=["forbidden", "allocating", "files"],
)
def test_static_library_asks_nothing_it_may_not(what, pattern, room):
    objects = undefined_by_object(need(".a"))
    assert objects
    found = [
        f"{name} {what}: {symbol}"
        for name, symbols in objects.items()
        for symbol in sorted(symbols)
        if pattern.match(symbol) and not (room and room.search(name))
    ]
    assert not found, "\n".join(found)


def test_allocations_are_where_they_are_meant_to_be():
    """The rule above looks at the right place: the room does allocate."""
    objects = undefined_by_object(need(".a"))
    assert any(ALLOCATOR_ROOM.search(n) and "malloc" in s for n, s in objects.items())
    assert any(FILE_ROOM.search(n) and any(FILES.match(x) for x in s) for n, s in objects.items())


def test_shared_library_is_small_and_free_of_text_relocations():
    path = need(".so")
    tool = shutil.which("readelf")
    if tool is None:
        pytest.skip("no readelf")
    dynamic = subprocess.run([tool, "-d", str(path)], capture_output=True, text=True, check=True).stdout
    assert "TEXTREL" not in dynamic
    needed = re.findall(r"NEEDED.*\[(.*?)\]", dynamic)
    allowed = re.compile(r"^(libc|libm|libz|ld-linux.*|libgcc_s)\.so")
    assert all(allowed.match(n) for n in needed), needed
