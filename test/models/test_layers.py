# SPDX-License-Identifier: Apache-2.0
"""The rules of the source tree: who may include whom, names, lengths, licence lines."""

import pathlib
import re
import subprocess

import pytest

import places

pytestmark = pytest.mark.no_tool

RANK = {
    "base": 0, "io": 1, "cpu": 1, "kernels": 2, "bundle": 2, "flatbuffer": 2, "container": 3, "tflite": 3,
    "check": 4, "rewrite": 4, "recipe": 4, "execute": 4, "calibrate": 5, "quantize": 6, "api": 7,
}
NEVER = {("check", "kernels"), ("recipe", "kernels")}
LONGEST = 1000
SOURCE = (".c", ".h", ".py", ".sh", ".build", ".txt", ".md", ".wrap", ".java", ".yml", ".csv")
NO_LICENCE_LINE = (".md", ".wrap")


def tracked(*folders):
    """Files of the project: what git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=places.PROJECT, capture_output=True, text=True)
    if done.returncode == 0:
        paths = [places.PROJECT / line for line in done.stdout.splitlines()]
    else:  # not a checkout
        hidden = lambda p: any(part.startswith((".", "build", "__")) for part in p.relative_to(places.PROJECT).parts)
        paths = [p for p in places.PROJECT.rglob("*") if not hidden(p)]
    paths = [p for p in paths if p.is_file()]
    return [p for p in paths if not folders or p.relative_to(places.PROJECT).parts[0] in folders]


def library_sources():
    return [p for p in tracked("lib") if p.suffix in (".c", ".h")]


def room(path):
    return path.relative_to(places.PROJECT / "lib").parts[0]


def includes(path):
    return re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', path.read_text(), re.M)


def resolve(path, name):
    """The room that an include in quotes leads to."""
    for base in (path.parent, places.PROJECT / "lib", places.PROJECT / "include"):
        target = pathlib.Path(base / name).resolve()
        if target.is_file():
            return target
    return None


def test_there_is_something_to_look_at():
    rooms = {room(p) for p in library_sources()}
    assert {"base", "tflite", "api"} <= rooms
    assert rooms <= set(RANK), f"rooms without a rank: {rooms - set(RANK)}"


def test_includes_go_down():
    wrong = []
    for path in library_sources():
        own = room(path)
        for mark, name in includes(path):
            if mark == "<":
                continue
            target = resolve(path, name)
            if target is not None and places.PROJECT / "include" in target.parents:
                continue
            if target is None or places.PROJECT / "lib" not in target.parents:
                wrong.append(f"{path.relative_to(places.PROJECT)}: \"{name}\" is nowhere in lib/")
                continue
            other = room(target)
            if other != own and (RANK[other] >= RANK[own] or (own, other) in NEVER):
                wrong.append(f"{path.relative_to(places.PROJECT)} ({own}) includes {name} ({other})")
    assert not wrong, "\n".join(wrong)


def test_kernels_see_no_graph_and_bundles_no_flatbuffer():
    for path in library_sources():
        targets = [t for m, n in includes(path) if m == '"' and (t := resolve(path, n))]
        rooms = {room(t) for t in targets if places.PROJECT / "lib" in t.parents}
        if room(path) == "kernels":
            assert rooms <= {"kernels", "base", "cpu"}, path
        if room(path) == "bundle":
            assert "flatbuffer" not in rooms, path


def test_zlib_is_seen_by_the_bundle_room_only():
    for path in library_sources():
        if any(name.startswith("zlib") for _, name in includes(path)):
            assert room(path) == "bundle", path


def test_public_header_stands_alone():
    for path in tracked("include"):
        if path.suffix == ".h":
            assert {name for _, name in includes(path)} <= {"stddef.h", "stdint.h"}, path


def test_file_names_are_unique():
    seen, twice = {}, []
    for path in tracked():
        if path.suffix not in (".c", ".h", ".py", ".sh", ".java"):
            continue
        if path.name in seen:
            twice.append(f"{path.relative_to(places.PROJECT)} and {seen[path.name].relative_to(places.PROJECT)}")
        seen[path.name] = path
    assert not twice, "\n".join(twice)


def test_no_file_is_too_long():
    for path in tracked():
        if path.suffix in (".c", ".h", ".py", ".sh"):
            lines = len(path.read_text().splitlines())
            assert lines <= LONGEST, f"{path.relative_to(places.PROJECT)}: {lines} lines"


def test_licence_line_comes_first():
    wrong = []
    for path in tracked():
        if path.suffix in NO_LICENCE_LINE or not (path.suffix in SOURCE or path.name in ("run", ".clang-format")):
            continue
        lines = path.read_text(errors="replace").splitlines()[:2] or [""]
        line = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
        if "SPDX-License-Identifier: Apache-2.0" not in line:
            wrong.append(str(path.relative_to(places.PROJECT)))
    assert not wrong, wrong


def test_top_level_is_the_agreed_one():
    allowed = {
        "meson.build", "meson_options.txt", "README.md", "lib", "include", "examples", "test", "subprojects",
    }
    names = {p.relative_to(places.PROJECT).parts[0] for p in tracked()}
    assert {n for n in names if not n.startswith(".")} <= allowed
