# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2086
# (lists of words, and CC, are to be split)
# To be sourced. need_tools NAME... makes sure that tools are there, and returns
# non-zero, having said what to install, when it can't. Names: cc clang meson
# ninja zlib cmocka aarch64 python3 venv; any other is a command and a package of that
# name. Before the call, TOOLS_ROOT may name the top of the source tree, whose
# meson.build says which meson it needs.

tools_say() {
    printf '%s\n' "$*" >&2
}

# The oldest meson that will do.
tools_meson_minimum() {
    minimum=
    if [ -n "${TOOLS_ROOT-}" ] && [ -f "$TOOLS_ROOT/meson.build" ]; then
        minimum=$(sed -n "s/.*meson_version *: *'>= *\([0-9.]*\)'.*/\1/p" "$TOOLS_ROOT/meson.build" |
            head -n 1)
    fi
    printf '%s\n' "${minimum:-0.61}"
}

# tools_at_least VERSION MINIMUM
tools_at_least() {
    awk -v have="$1" -v need="$2" 'BEGIN {
        split(have, h, "."); n = split(need, m, ".")
        for (i = 1; i <= n; i++)
            if (h[i] + 0 != m[i] + 0) exit(h[i] + 0 < m[i] + 0)
        exit 0
    }'
}

# The C compiler that meson will take; with CC it can be several words.
tools_compiler() {
    if [ -n "${CC-}" ]; then
        printf '%s\n' "$CC"
        return 0
    fi
    for compiler in cc gcc clang; do
        if command -v "$compiler" >/dev/null 2>&1; then
            printf '%s\n' "$compiler"
            return 0
        fi
    done
    return 1
}

# tools_compiles HEADER CC...: whether a program that includes it compiles.
tools_compiles() {
    header=$1
    shift
    printf '#include <%s>\n' "$header" | "$@" -x c -fsyntax-only - >/dev/null 2>&1
}

tools_have() {
    case $1 in
    # A compiler without the C library's headers is no use; stdio.h shows both.
    cc) compiler=$(tools_compiler) && tools_compiles stdio.h $compiler ;;
    clang) command -v clang >/dev/null 2>&1 && tools_compiles stdio.h clang ;;
    meson)
        command -v meson >/dev/null 2>&1 &&
            tools_at_least "$(meson --version 2>/dev/null)" "$(tools_meson_minimum)"
        ;;
    zlib) compiler=$(tools_compiler) && tools_compiles zlib.h $compiler ;;
    aarch64)
        command -v qemu-aarch64 >/dev/null 2>&1 &&
            tools_compiles stdio.h aarch64-linux-gnu-gcc 2>/dev/null
        ;;
    cmocka) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists cmocka ;;
    # Debian's python3 has the module venv, but not what it needs to work.
    venv) python3 -c 'import venv, ensurepip' >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

tools_apt_packages() {
    for tool in "$@"; do
        case $tool in
        cc) echo gcc libc6-dev ;;
        ninja) echo ninja-build ;;
        zlib) echo zlib1g-dev ;;
        aarch64) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user ;;
        cmocka) echo libcmocka-dev pkg-config ;;
        venv) echo python3-venv ;;
        *) echo "$tool" ;;
        esac
    done | tr '\n' ' ' | sed 's/ $//'
}

# What macOS has of its own, or only Apple's tools can install, is left out.
tools_brew_packages() {
    for tool in "$@"; do
        case $tool in
        cc | clang | zlib) ;;
        cmocka) echo cmocka pkg-config ;;
        python3 | venv) echo python ;;
        *) echo "$tool" ;;
        esac
    done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# tools_agreed COMMAND: asks if somebody is there to be asked.
tools_agreed() {
    if [ ! -t 0 ]; then
        tools_say "Installing what is missing: $1"
        return 0
    fi
    printf 'Missing: %s. Run "%s"? [Y/n] ' "$tools_missing" "$1" >&2
    read -r answer || answer=n
    case $answer in
    '' | [Yy]*) return 0 ;;
    *) return 1 ;;
    esac
}

# tools_quietly COMMAND...: shows what it printed only if it fails.
tools_quietly() {
    if output=$("$@" 2>&1 </dev/null); then
        return 0
    fi
    tools_say "$output"
    return 1
}

tools_install_apt() {
    packages=$(tools_apt_packages "$@")
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || return 1
        sudo=sudo
        # Without a terminal nobody can type a password.
        [ -t 0 ] || sudo='sudo -n'
    fi
    tools_agreed "${sudo:+sudo }apt-get install $packages" || return 1
    if [ "$sudo" = sudo ]; then
        sudo -v || return 1
    fi
    set -- $sudo env DEBIAN_FRONTEND=noninteractive apt-get
    # The lists of a fresh machine are empty, those of an old one stale.
    "$@" install -y --no-install-recommends $packages >/dev/null 2>&1 </dev/null && return 0
    tools_quietly "$@" update && tools_quietly "$@" install -y --no-install-recommends $packages
}

tools_install_brew() {
    packages=$(tools_brew_packages "$@")
    [ -n "$packages" ] || return 1
    tools_agreed "brew install $packages" || return 1
    tools_quietly brew install $packages
}

# Distributions that are still in use ship a meson that is too old.
tools_install_meson() {
    [ -n "${TOOLS_ROOT-}" ] || return 1
    tools_have venv || tools_install venv || return 1
    environment=$TOOLS_ROOT/build/tools
    tools_agreed "python3 -m venv $environment, and pip install meson into it" || return 1
    tools_quietly python3 -m venv "$environment" &&
        tools_quietly "$environment/bin/pip" install --disable-pip-version-check meson
}

# Where tools_install_meson() puts it; of use from the second run on as well.
tools_find_meson() {
    if [ -n "${TOOLS_ROOT-}" ] && [ -x "$TOOLS_ROOT/build/tools/bin/meson" ] && ! tools_have meson; then
        PATH=$TOOLS_ROOT/build/tools/bin:$PATH
        export PATH
    fi
}

tools_install() {
    if command -v apt-get >/dev/null 2>&1; then
        tools_install_apt "$@"
    elif command -v brew >/dev/null 2>&1; then
        tools_install_brew "$@"
    else
        return 1
    fi
}

# Sets tools_missing to those of the arguments that are not there.
tools_check() {
    tools_missing=
    tools_find_meson
    for tool in "$@"; do
        tools_have "$tool" || tools_missing="$tools_missing${tools_missing:+ }$tool"
    done
    [ -z "$tools_missing" ]
}

tools_advise() {
    tools_say "Missing: $tools_missing."
    if command -v apt-get >/dev/null 2>&1; then
        tools_say "Install it with: sudo apt-get install $(tools_apt_packages $tools_missing)"
    elif [ "$(uname -s)" = Darwin ]; then
        case " $tools_missing " in
        *" cc "* | *" clang "* | *" zlib "*) tools_say "Run: xcode-select --install" ;;
        esac
        packages=$(tools_brew_packages $tools_missing)
        if [ -n "$packages" ]; then
            tools_say "Install Homebrew from https://brew.sh if needed, and run: brew install $packages"
        fi
    else
        for tool in $tools_missing; do
            case $tool in
            cc) tools_say "  a C compiler: gcc or clang, with the headers of the C library" ;;
            meson) tools_say "  meson $(tools_meson_minimum) or later" ;;
            ninja) tools_say "  ninja (often packaged as ninja-build)" ;;
            zlib) tools_say "  the headers of zlib (often zlib-devel or zlib-dev)" ;;
            cmocka) tools_say "  cmocka with its headers, and pkg-config (often libcmocka-devel)" ;;
            venv) tools_say "  the Python modules venv and ensurepip" ;;
            *) tools_say "  $tool" ;;
            esac
        done
    fi
    case " $tools_missing " in
    *" meson "*)
        if command -v meson >/dev/null 2>&1; then
            tools_say "(meson $(meson --version) is there, but $(tools_meson_minimum) is needed.)"
        fi
        ;;
    esac
}

need_tools() {
    tools_check "$@" && return 0
    if tools_install $tools_missing && tools_check "$@"; then
        return 0
    fi
    tools_check "$@" && return 0
    if [ "$tools_missing" = meson ] && command -v python3 >/dev/null 2>&1; then
        tools_install_meson && tools_check "$@" && return 0
    fi
    tools_advise
    return 1
}
