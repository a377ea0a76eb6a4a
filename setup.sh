#!/bin/sh
# Install what is missing to build and test metal-llm: with apt-get on Debian and Ubuntu, with Homebrew
# on a Mac. Says what it runs, asks before sudo on a terminal (YES=1: does not); does nothing when all is there.
#
#   setup.sh            compiler and libraries
#   setup.sh test       also what the tests need
#   setup.sh coverage   also what measures their coverage
#   setup.sh torch      also CPU PyTorch, for the comparison with Hugging Face transformers
set -eu

say() { echo "setup: $*" >&2; }

# "clang-19", the newest that is here; nothing if none is.
installed_clang() {
    for version in 19 18 17 16 15; do
        if command -v "clang++-$version" >/dev/null; then
            echo "clang-$version"
            return
        fi
    done
}

has_candidate() {
    apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

# The newest clang that this distribution offers; half precision needs 15 or later.
apt_clang() {
    for version in 19 18 17 16 15; do
        if has_candidate "clang-$version"; then
            echo "clang-$version"
            return
        fi
    done
    say "no clang from 15 on among the packages; install one by hand and set CLANGXX"
    exit 1
}

# Before sudo, where somebody can answer; YES=1 goes on without.
confirm() {
    [ -z "${YES:-}" ] && [ -t 0 ] && [ -t 2 ] || return 0
    printf 'setup: go on? [Y/n] ' >&2
    read -r answer
    case $answer in [nN]*) exit 1 ;; esac
}

missing_packages() {
    for package in "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || echo "$package"
    done
}


setup_apt() {
    root=""
    [ "$(id -u)" = 0 ] || root=sudo
    if ! has_candidate gcc; then # a fresh system knows of no package
        say "$root apt-get update"
        [ -z "$root" ] || confirm
        $root apt-get update -qq
    fi
    wanted="gcc make libc6-dev libcjson-dev libpcre2-dev libutf8proc-dev libopenblas-pthread-dev libmicrohttpd-dev libdw-dev libseccomp-dev pkg-config"
    [ "$1" = build ] || wanted="$wanted python3 python3-venv gobjc zsh fish groff-base"
    [ "$1" != torch ] || wanted="$wanted python3-torch"
    missing=$(missing_packages $wanted)
    clang=$(installed_clang)
    if [ -z "$clang" ]; then
        clang=$(apt_clang)
        missing="$missing $clang"
    fi
    number=${clang#clang-}
    runtime=libclang-rt-$number-dev # the fuzzer's and the sanitizers', apart from clang
    [ "$1" = build ] || ! has_candidate "$runtime" || missing="$missing $(missing_packages "$runtime")"
    [ "$1" = build ] || ! has_candidate chromium-driver || missing="$missing $(missing_packages chromium chromium-driver)"
    [ "$1" != coverage ] || missing="$missing $(missing_packages "llvm-$number")"
    [ -n "$(echo $missing)" ] || return 0
    say "$root apt-get update && $root apt-get install -y --no-install-recommends" $missing
    [ -z "$root" ] || confirm
    $root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# Apple's own is older than what the tests install.
python_of_the_tests() {
    for minor in 13 12 11 10; do
        command -v "python3.$minor" >/dev/null && return 0
    done
    return 1
}

setup_brew() {
    wanted="cjson pcre2 utf8proc libmicrohttpd pkg-config"
    [ "$1" = build ] || python_of_the_tests || wanted="$wanted python@3.12"
    for package in $wanted; do
        brew list "$package" >/dev/null 2>&1 && continue
        say "brew install $package"
        brew install "$package"
    done
}

what=${1:-build}
if [ "$(uname)" = Darwin ]; then
    command -v brew >/dev/null || { say "install Homebrew first: https://brew.sh"; exit 1; }
    setup_brew "$what"
elif command -v apt-get >/dev/null; then
    setup_apt "$what"
else
    say "neither apt-get nor Homebrew here; needed: clang from 15 on, a C compiler, make, cJSON, PCRE2, utf8proc, OpenBLAS, libmicrohttpd"
    exit 1
fi
