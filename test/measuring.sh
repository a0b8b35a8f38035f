# SPDX-License-Identifier: Apache-2.0
# What the scripts that measure share; they source it. `measure` is what messages begin with. Sets root,
# where it also goes, build, logs and log.
# shellcheck shell=sh

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
build=$root/build
logs=$build/test-logs
log=$logs/$measure.log
mkdir -p "$logs" || exit 1
rm -f "$log"

# stop WHAT: says it, with the end of the log.
stop() {
    printf '%s: %s\n' "$measure" "$1" >&2
    [ ! -f "$log" ] || tail -n 40 "$log" >&2
    exit 1
}

# set_up DIRECTORY MESON_OPTIONS...
set_up() {
    directory=$1
    shift
    if [ -f "$directory/meson-private/coredata.dat" ]; then
        meson configure "$directory" "$@"
    else
        meson setup "$directory" "$@"
    fi
}

TOOLS_ROOT=$root
# shellcheck source=../examples/setup_tools.sh
. "$root/examples/setup_tools.sh"
