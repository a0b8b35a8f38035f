#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How good the results are: sets up what is missing, builds, and prints one table of sizes, accuracies, latencies
# and times for every model, and what is wanted of them; they also go to build/accuracy.md and build/accuracy.json
# (accuracy-part, if it is only a part). Takes some ten minutes, on a machine that does nothing else for the
# latencies. Exit code 0: all was measured, whether or not it is good enough.
#
#     sh test/accuracy.sh [--models PATTERN] [--recipes LIST] [--no-latency] [--jobs N] [--readme]

set -u
measure=accuracy
# shellcheck source=measuring.sh
. "$(dirname -- "$0")/measuring.sh"
need_tools cc meson ninja zlib python3 venv || stop "setting up the tools"
set_up "$build" --buildtype=release -Ddefault_library=both -Dexamples=true -Dexecutor=true '-Dtrim_levels=[]' \
    >"$log" 2>&1 || stop "configuring the build"
ninja -C "$build" examples/tfquant >"$log" 2>&1 || stop "compiling"

# The environment of the model tests, with what has the pictures.
python=$root/.venv/bin/python
installed=$root/.venv/installed-accuracy.txt
models=$root/test/models/requirements.txt
pictures=$root/test/accuracy/requirements.txt
if [ ! -x "$python" ] && ! python3 -m venv "$root/.venv" >"$log" 2>&1; then
    rm -rf "$root/.venv"
    stop "making the Python environment"
fi
if ! cat "$models" "$pictures" | cmp -s - "$installed"; then
    "$python" -m pip install --disable-pip-version-check -r "$models" -r "$pictures" >"$log" 2>&1 ||
        stop "the Python packages, with the pictures, could not be installed"
    cat "$models" "$pictures" >"$installed"
fi

PYTHONDONTWRITEBYTECODE=1 exec "$python" "$root/test/accuracy/accuracy.py" --build "$build" "$@"
