#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Gets zlib, and cmocka if it can be had, for 64-bit ARM: Debian's packages, unpacked in DIRECTORY.
# The machine's own package lists and what is installed stay as they are, and root is not needed.
# Writes DIRECTORY/libraries.ini, which tells meson where they are (a second --cross-file). Fails,
# having said why, where there is no zlib.
#
#     sh test/cross/aarch64_libraries.sh DIRECTORY

set -u
mkdir -p "$1" && directory=$(CDPATH='' cd -- "$1" && pwd) || exit 1
ready=$directory/libraries.ini
[ ! -f "$ready" ] || exit 0

for tool in apt-get dpkg-deb pkg-config; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        printf '%s is missing\n' "$tool"
        exit 1
    fi
done

apt() {
    # Nothing counts as installed, as what is installed is for another machine.
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root \
        -o Dir::State::Lists="$directory/lists" -o Dir::State::Status=/dev/null \
        -o Dir::Cache="$directory/cache" -o Acquire::Languages=none "$@" </dev/null
}

mkdir -p "$directory/lists/partial" "$directory/cache/archives/partial" "$directory/packages" &&
    cd "$directory/packages" || exit 1
apt update || exit 1
apt download zlib1g-dev || exit 1
apt download libcmocka-dev libcmocka0 || printf 'no cmocka for arm64\n'
rm -rf "$directory/lists" "$directory/cache" "$directory/root"
for package in *.deb; do
    dpkg-deb -x "$package" "$directory/root" || exit 1
done

libraries=$directory/root/usr/lib/aarch64-linux-gnu
rm -f "$libraries/libz.so" # leads to a file of another package
if [ ! -f "$libraries/libz.a" ]; then
    printf 'the package of zlib has no libz.a\n'
    exit 1
fi
cat >"$ready.new" <<END &&
[binaries]
pkgconfig = 'pkg-config'

[properties]
sys_root = '$directory/root'
pkg_config_libdir = '$libraries/pkgconfig'
END
    mv "$ready.new" "$ready"
