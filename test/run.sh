#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All tests: sets up what is missing, builds, and runs the C tests (three builds: release, with
# sanitizers, with clang) and the model tests. Ends with "N passed, N failed[, N skipped]"; what is
# skipped is printed with its reason. Exit code 0: nothing failed.
#
#     sh test/run.sh [ARGUMENTS OF PYTEST]

set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
build=$root/build
logs=$build/test-logs
mkdir -p "$logs"

passed=0
failed=0
skipped=0

heading() {
    printf '\n== %s\n' "$*"
}

pass() {
    passed=$((passed + 1))
    printf 'passed: %s\n' "$1"
}

# fail WHAT [LOG]
fail() {
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$1"
    if [ -n "${2-}" ] && [ -f "$2" ]; then
        tail -n 40 "$2"
    fi
}

# skip WHAT REASON
skip() {
    skipped=$((skipped + 1))
    printf 'skipped: %s: %s\n' "$1" "$2"
}

# add FILE: counts what count_results.py found in FILE, which is a list or XML of results.
add() {
    counts=$(python3 "$root/test/models/count_results.py" "$1") || {
        fail "reading the results in $1"
        return
    }
    # The last line is "passed failed skipped"; those before it are for people.
    printf '%s\n' "$counts" | sed '$d'
    # shellcheck disable=SC2046
    set -- $(printf '%s\n' "$counts" | tail -n 1)
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
}

finish() {
    printf '\n'
    if [ "$skipped" -gt 0 ]; then
        printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    else
        printf '%d passed, %d failed\n' "$passed" "$failed"
    fi
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

# make_build DIRECTORY MESON_OPTIONS...: configures and compiles.
make_build() {
    directory=$1
    shift
    log=$logs/$(basename "$directory").log
    if [ -f "$directory/meson-private/coredata.dat" ] && meson configure "$directory" "$@" >"$log" 2>&1; then
        : # what was built there is of use
    elif ! { rm -rf "$directory/meson-private" && meson setup "$directory" "$@" >"$log" 2>&1; }; then
        fail "configuring $(basename "$directory")" "$log"
        return 1
    fi
    if ! ninja -C "$directory" >"$log" 2>&1; then
        fail "compiling $(basename "$directory")" "$log"
        return 1
    fi
    pass "compiling $(basename "$directory")"
}

# c_tests DIRECTORY [WHICH]: runs them there.
c_tests() {
    results=$1/meson-logs/testlog.json
    rm -f "$results"
    meson test -C "$@" --no-rebuild --print-errorlogs >"$logs/$(basename "$1")-tests.log" 2>&1
    status=$?
    if [ -s "$results" ]; then
        add "$results"
        # The log repeats what went wrong.
        [ "$status" -eq 0 ] || grep -v '^ *[0-9]*/[0-9]* .* OK ' "$logs/$(basename "$1")-tests.log" | tail -n 60
    elif [ "$status" -eq 0 ] && grep -q 'No tests defined' "$logs/$(basename "$1")-tests.log"; then
        skip "C tests in $(basename "$1")" "none are defined"
    else
        fail "C tests in $(basename "$1")" "$logs/$(basename "$1")-tests.log"
    fi
}

heading "Tools"
TOOLS_ROOT=$root
# shellcheck source=../examples/setup_tools.sh
. "$root/examples/setup_tools.sh"
if ! need_tools cc meson ninja zlib python3; then
    fail "setting up the tools to build with"
    finish
fi
with_tests=true
if ! need_tools cmocka; then
    skip "C tests" "cmocka is missing and could not be installed"
    with_tests=false
fi
with_clang=true
if ! need_tools clang; then
    skip "the build with clang" "clang is missing and could not be installed"
    with_clang=false
fi
with_format=true
if ! need_tools clang-format; then
    skip "the format of the C sources" "clang-format is missing and could not be installed"
    with_format=false
fi
with_models=true
if ! need_tools venv; then
    skip "the model tests" "Python's venv is missing and could not be installed"
    with_models=false
fi

common="-Ddefault_library=both -Dtests=$with_tests -Dexamples=true -Dexecutor=true"

heading "Release build"
# shellcheck disable=SC2086
if ! make_build "$build" --buildtype=release $common; then
    skip "the model tests" "there is no build to test"
    with_models=false
elif [ "$with_tests" = true ]; then
    c_tests "$build"
fi

heading "Build with AddressSanitizer and UndefinedBehaviorSanitizer"
# shellcheck disable=SC2086
if make_build "$root/build-sanitize" --buildtype=debugoptimized $common \
    -Db_sanitize=address,undefined -Db_lundef=false && [ "$with_tests" = true ]; then
    (
        # What is found must end a test, not only be printed.
        ASAN_OPTIONS=abort_on_error=1
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
        export ASAN_OPTIONS UBSAN_OPTIONS
        c_tests "$root/build-sanitize"
        printf '%d %d %d\n' "$passed" "$failed" "$skipped" >"$logs/counts"
    )
    read -r passed failed skipped <"$logs/counts"
fi

if [ "$with_clang" = true ]; then
    heading "Build with clang"
    # shellcheck disable=SC2086
    if CC=clang make_build "$root/build-clang" --buildtype=release $common && [ "$with_tests" = true ]; then
        c_tests "$root/build-clang"
    fi
fi

heading "64-bit ARM, emulated"
arm=$root/build-aarch64
libraries=$root/build-aarch64-libraries
if [ "$(uname -m)" = aarch64 ] || [ "$(uname -m)" = arm64 ]; then
    skip "the emulated ARM" "this machine is one: its code ran above"
elif ! need_tools aarch64; then
    skip "the emulated ARM" "aarch64-linux-gnu-gcc or qemu-aarch64 is missing and could not be installed"
else
    cross="--cross-file=$root/test/cross/aarch64-linux-gnu.ini"
    more=
    if sh "$root/test/cross/aarch64_libraries.sh" "$libraries" >"$logs/aarch64-libraries.log" 2>&1; then
        more="--cross-file=$libraries/libraries.ini"
    fi
    rm -f "$arm/examples/tfquant" # of another run, it may have had a zlib
    if make_build "$arm" --buildtype=release -Ddefault_library=static -Dtests=true -Dexamples=true \
        -Dexecutor=true "$cross" ${more:+"$more"}; then
        if [ -x "$arm/examples/tfquant" ]; then
            TFQUANT_AARCH64=$arm
            export TFQUANT_AARCH64
        else
            tail -n 3 "$logs/aarch64-libraries.log"
            skip "the emulated ARM, but for the kernels" "there is no zlib for it"
        fi
        c_tests "$arm" --no-suite slow
    fi
fi

if [ "$with_format" = true ]; then
    heading "Format of the C sources"
    major=$(clang-format --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
    if [ "$major" != 14 ]; then
        skip "the format of the C sources" "clang-format $major formats otherwise than 14, which is used here"
    elif find lib include examples test \( -name '*.c' -o -name '*.h' \) -exec \
        clang-format --dry-run -Werror {} + >"$logs/clang-format.log" 2>&1; then
        pass "clang-format"
    else
        fail "clang-format" "$logs/clang-format.log"
    fi
fi

if [ "$with_models" = true ]; then
    heading "Model tests"
    requirements=$root/test/models/requirements.txt
    python=$root/.venv/bin/python
    log=$logs/venv.log
    if [ ! -x "$python" ] && ! python3 -m venv "$root/.venv" >"$log" 2>&1; then
        rm -rf "$root/.venv"
        fail "making the Python environment" "$log"
        finish
    fi
    if ! cmp -s "$requirements" "$root/.venv/installed.txt"; then
        if "$python" -m pip install --disable-pip-version-check -r "$requirements" >"$log" 2>&1; then
            cp "$requirements" "$root/.venv/installed.txt"
        elif grep -E -q 'No matching distribution|Connection|connection|timed out|resolution|unreachable' "$log"; then
            tail -n 3 "$log"
            skip "the model tests" "their Python packages could not be downloaded"
            with_models=false
        else
            fail "installing the Python packages" "$log"
            with_models=false
        fi
    fi
fi
if [ "$with_models" = true ]; then
    # What reads bundles is large and not to be had everywhere; pytest skips the tests that need it.
    bundles=$root/test/models/requirements-bundles.txt
    if ! cat "$requirements" "$bundles" | cmp -s - "$root/.venv/installed-bundles.txt"; then
        if "$python" -m pip install --disable-pip-version-check -r "$requirements" -r "$bundles" >"$log" 2>&1; then
            cat "$requirements" "$bundles" >"$root/.venv/installed-bundles.txt"
        else
            tail -n 3 "$log"
            skip "MediaPipe and litert-lm-peek" "their Python packages could not be installed"
        fi
    fi
fi
if [ "$with_models" = true ]; then
    results=$logs/models.xml
    rm -f "$results"
    PYTHONDONTWRITEBYTECODE=1 "$python" -m pytest -q -p no:cacheprovider --junitxml="$results" \
        --tb=short "$root/test/models" "$@"
    status=$?
    if [ -s "$results" ]; then
        add "$results"
        # 0: all passed, 1: some failed; anything else went wrong before or beside the tests.
        [ "$status" -le 1 ] || fail "pytest ended with code $status"
    else
        fail "pytest ended with code $status and without results"
    fi
fi

finish
