# SPDX-License-Identifier: Apache-2.0
"""The models that the tests run on: the corpus beside the project, or what a public wheel holds.

With TFQUANT_MODELS=wheel it is the wheel even where there is a corpus."""

import functools
import os
import pathlib
import subprocess
import sys
import zipfile

import places

CORPUS = places.PROJECT.parent / "shared" / "corpus"
WHEEL = "mediapipe==0.10.14"


@functools.cache
def find():
    """({name: path}, where they are from). Empty, with the reason, when there are none."""
    if CORPUS.is_dir() and os.environ.get("TFQUANT_MODELS") != "wheel":
        paths = sorted(CORPUS.rglob("*.tflite"))
        return {str(p.relative_to(CORPUS).with_suffix("")): p for p in paths}, "the corpus beside the project"
    paths, reason = _wheel()
    if reason:
        return {}, f"no corpus beside the project, and {reason}"
    return {f"wheel/{p.stem}": p for p in paths}, f"the wheel {WHEEL}"


def in_wheel(stem):
    """(the path of a model that may be in no corpus, None), or (None, why there is none)."""
    paths, reason = _wheel()
    found = next((p for p in paths if p.stem == stem), None)
    return found, None if found else reason or f"no {stem} in {WHEEL}"


@functools.cache
def _wheel():
    """(paths, None) or ([], why it is not to be had)."""
    folder = places.CACHE / "wheel"
    if not (folder / "complete").exists():
        try:
            _download(folder)
        except (subprocess.CalledProcessError, OSError, zipfile.BadZipFile) as error:
            return [], f"no {WHEEL}: {error}"
    return sorted(folder.rglob("*.tflite")), None


def _download(folder):
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), WHEEL]
    subprocess.run(command, check=True)
    for wheel in folder.glob("mediapipe-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.namelist():
                if entry.endswith(".tflite"):
                    (folder / pathlib.Path(entry).name).write_bytes(archive.read(entry))
        wheel.unlink()
    (folder / "complete").touch()


if __name__ == "__main__":
    found, origin = find()
    print(f"{len(found)} models from {origin}")
    sys.exit(0 if found else 1)
