#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# quickstart.sh [MODEL]: gets what is needed, builds, and makes MODEL smaller (a
# small model of its own making if none is given). Safe to run again.
set -eu

case ${1-} in
-h | --help)
    echo "usage: sh examples/quickstart.sh [MODEL.tflite]"
    exit 0
    ;;
esac
if [ $# -gt 1 ]; then
    echo "usage: sh examples/quickstart.sh [MODEL.tflite]" >&2
    exit 2
fi
if [ $# -eq 1 ] && [ ! -f "$1" ]; then
    echo "quickstart: there is no file $1" >&2
    exit 1
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
build=$root/build
results=$build/quickstart
log=$results/build.log
TOOLS_ROOT=$root
# shellcheck source=examples/setup_tools.sh
. "$here/setup_tools.sh"

# quietly WHAT COMMAND...: its output goes to the log, and is shown if it fails.
quietly() {
    what=$1
    shift
    if ! "$@" >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        echo "quickstart: $what failed; its output is above and in $log" >&2
        exit 1
    fi
}

need_tools cc meson ninja zlib
mkdir -p "$results"
if [ ! -f "$build/build.ninja" ]; then
    echo "Building in $build; the first time takes a little." >&2
    quietly "setting up the build" meson setup "$build" "$root" --buildtype=release
fi
quietly "the build" ninja -C "$build" examples/tfquant examples/make_model

if [ $# -eq 1 ]; then
    model=$1
else
    model=$results/classifier.tflite
    "$build/examples/make_model" "$model"
fi
name=$(basename -- "$model")
smaller=$results/${name%.*}_smaller.tflite

status=0
"$build/examples/tfquant" quantize -f -o "$smaller" -- "$model" || status=$?
if [ "$status" -eq 0 ] && [ $# -eq 0 ]; then
    echo
    echo "Now one of your own: sh $0 MODEL.tflite"
    echo "or, with all choices: $build/examples/tfquant quantize --help"
fi
exit "$status"
