# SPDX-License-Identifier: Apache-2.0
"""Where things are: the project, the build under test, the cache, the program, the library."""

import os
import pathlib

PROJECT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TFQUANT_BUILD", PROJECT / "build")).resolve()
TOOL = pathlib.Path(os.environ.get("TFQUANT", BUILD / "examples" / "tfquant")).resolve()
CACHE = BUILD / "test-models"
EXPECTED = pathlib.Path(__file__).resolve().parent / "expected"


def library(suffix):
    """The built library: ".a", or ".so" / ".dylib" for the shared one. None: not built."""
    if "TFQUANT_LIBRARY" in os.environ and suffix != ".a":
        return pathlib.Path(os.environ["TFQUANT_LIBRARY"])
    suffixes = (".a",) if suffix == ".a" else (".so", ".dylib")
    for end in suffixes:
        for found in sorted(BUILD.rglob(f"libtfquant{end}")):
            return found
    return None
