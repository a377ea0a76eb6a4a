#!/bin/sh
# Install what is missing to build and test metal-llm: with apt-get on Debian and Ubuntu, with Homebrew
# on a Mac. Says what it runs, asks before sudo on a terminal (YES=1: does not); does nothing when all is there.
#
#   setup.sh            compiler and libraries
#   setup.sh test       also what the tests need
#   setup.sh torch      also CPU PyTorch, for the comparison with Hugging Face transformers
set -eu

say() { echo "setup: $*" >&2; }

have_clang() {
    for version in -19 -18 -17 -16 -15; do
        command -v "clang++$version" >/dev/null && return 0
    done
    [ "$(uname)" = Darwin ] && command -v clang++ >/dev/null
}

# The newest clang that this distribution offers; half precision needs 15 or later.
apt_clang() {
    for version in 19 18 17 16 15; do
        if [ -n "$(apt-cache policy "clang-$version" 2>/dev/null | grep 'Candidate: [^(]')" ]; then
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
    wanted="gcc make libc6-dev libcjson-dev libpcre2-dev libutf8proc-dev libopenblas-pthread-dev libdw-dev libseccomp-dev pkg-config"
    [ "$1" = build ] || wanted="$wanted python3 python3-venv gobjc"
    [ "$1" != torch ] || wanted="$wanted python3-torch python3-numpy"
    missing=$(missing_packages $wanted)
    have_clang && [ -z "$missing" ] && return
    root=""
    [ "$(id -u)" = 0 ] || root=sudo
    have_clang || missing="$missing $(apt_clang)"
    if [ "$1" != build ]; then # the fuzzer's and sanitizers' runtime comes apart from clang
        clang=$(apt_clang)
        missing="$missing $(missing_packages "libclang-rt-${clang#clang-}-dev")"
    fi
    say "$root apt-get update && $root apt-get install -y --no-install-recommends" $missing
    [ -z "$root" ] || confirm
    $root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

setup_brew() {
    for package in cjson pcre2 utf8proc pkg-config; do
        brew list "$package" >/dev/null 2>&1 && continue
        say "brew install $package"
        brew install "$package"
    done
}

what=${1:-build}
if [ "$(uname)" = Darwin ]; then
    command -v brew >/dev/null || { say "install Homebrew first: https://brew.sh"; exit 1; }
    setup_brew
elif command -v apt-get >/dev/null; then
    setup_apt "$what"
else
    say "neither apt-get nor Homebrew here; needed: clang from 15 on, a C compiler, make, cJSON, PCRE2, utf8proc, OpenBLAS"
    exit 1
fi
