#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The benchmark: sets up what is missing, builds, and prints one table of ratios, which also goes to
# build/bench.md, unless it is only a part. Everything takes some ten minutes and 10 GB in TMPDIR;
# --quick leaves out the model that needs them. Exit code 0: all that was wanted was measured, whether
# or not it is fast enough.
#
#     sh test/bench.sh [--quick] [--only PATTERN]

set -u
measure=bench
# shellcheck source=measuring.sh
. "$(dirname -- "$0")/measuring.sh"
executor=$root/build-executor
need_tools cc meson ninja zlib python3 cmocka || stop "setting up the tools to build with"
common="--buildtype=release -Ddefault_library=both -Dexamples=true -Dtrim_levels=[]"
# The smallest library is measured, and beside it what the recipe int8 costs, which has the executor.
# shellcheck disable=SC2086
set_up "$build" $common -Dtests=true -Dexecutor=false >"$log" 2>&1 || stop "configuring the build"
# shellcheck disable=SC2086
set_up "$executor" $common -Dtests=false -Dexecutor=true >"$log" 2>&1 || stop "configuring the build with the executor"
ninja -C "$build" examples/tfquant test/kernels/bench_kernels test/bench/make_layers test/bench/timed_run \
    test/bench/library_size test/bench/empty_program >"$log" 2>&1 || stop "compiling"
ninja -C "$executor" examples/tfquant >"$log" 2>&1 || stop "compiling with the executor"

# The environment of the model tests; without it the rows with litert-quantizer are left out.
python=$root/.venv/bin/python
requirements=$root/test/models/requirements.txt
if [ ! -x "$python" ]; then
    need_tools venv && python3 -m venv "$root/.venv" >"$log" 2>&1 || rm -rf "$root/.venv"
fi
if [ -x "$python" ] && ! cmp -s "$requirements" "$root/.venv/installed.txt"; then
    if "$python" -m pip install --disable-pip-version-check -r "$requirements" >"$log" 2>&1; then
        cp "$requirements" "$root/.venv/installed.txt"
    else
        tail -n 3 "$log" >&2
        printf 'bench: the Python packages could not be installed\n' >&2
    fi
fi
[ -x "$python" ] || python=python3

PYTHONDONTWRITEBYTECODE=1 exec "$python" "$root/test/bench/bench.py" --build "$build" --executor-build "$executor" "$@"
