# SPDX-License-Identifier: Apache-2.0
"""Runs the program under test, and keeps what it made for the other tests of the session."""

import dataclasses
import functools
import hashlib
import json
import subprocess

import places
import schema

DONE, ERROR, USAGE, UNCHANGED = 0, 1, 2, 3
QUANTIZING = ("dynamic_wi8_afp32", "weight_only_wi8_afp32", "fp16", "dynamic_wi4b32_afp32", "int8", "int8-fast")
RUNNING = ("int8", "int8-fast")  # these run the model, which takes time
RECIPES = ("none",) + QUANTIZING
# These run the model; tests of all models have them take little time, tests of accuracy ask for more.
RUNNING = ("int8", "int8-fast")
PLAIN = "weight_only_wi8_afp32"


@dataclasses.dataclass(frozen=True)
class Output:
    recipe: str
    code: int
    raw: bytes  # b"": nothing was written
    report: dict
    message: str

    @functools.cached_property
    def model(self):
        return schema.Model(self.raw)

    @property
    def changed(self):
        return self.recipe != "none" and self.code == DONE


def run(*arguments, **options):
    """The finished process; text in `stdout` and `stderr`. A whole `quantize` that names no recipe gets plain
    rounding: the default takes seconds for a model, and tests of the rest don't need it."""
    if arguments[:1] == ("quantize",) and len(arguments) > 3 and not {"-r", "--recipe"} & set(arguments):
        arguments = (*arguments[:2], "--recipe", PLAIN, *arguments[2:])
    command = [str(places.TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, **options)


@functools.cache
def quantize(path, recipe, *more):
    """What `tfquant quantize` makes of the file at `path`."""
    if recipe in RUNNING and not {"--effort", "--target-size", "--max-error"} & set(more):
        more += ("--effort", "fast")
    name = hashlib.sha256(f"{path} {recipe} {more}".encode()).hexdigest()[:24]
    target = places.CACHE / "outputs" / f"{name}.tflite"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    done = run("quantize", path, "-o", target, "--recipe", recipe, "--json", *more)
    report = json.loads(done.stdout) if done.stdout.strip() else {}
    raw = target.read_bytes() if target.exists() else b""
    target.unlink(missing_ok=True)
    return Output(recipe, done.returncode, raw, report, done.stderr.strip())


def expect(path, recipe, *more):
    """As quantize(), and fails unless the program did its work. Where the recipe changes nothing the
    program says so and writes nothing: then `raw` is the input."""
    output = quantize(path, recipe, *more)
    allowed = (DONE,) if recipe == "none" else (DONE, UNCHANGED)
    assert output.code in allowed, f"exit code {output.code}: {output.message}"
    assert bool(output.raw) == (output.code == DONE), f"exit code {output.code}, {len(output.raw)} bytes written"
    if output.code == UNCHANGED:
        assert output.report["changed"] is False
        with open(path, "rb") as f:
            return dataclasses.replace(output, raw=f.read())
    return output
