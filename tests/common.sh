# What tests/run, tests/windows and tests/machine share: the environment of the tests, stages with their times, what the tests'
# runners counted, Python with numpy, tools and the Debian package. To be sourced at the workspace's root.
# shellcheck shell=bash

# The end-to-end tests and this script must mean the same folder, whatever the caller's CARGO_TARGET_DIR is.
target="${CARGO_TARGET_DIR:-$PWD/target}"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"
export TRC2NPY_PYTHON="${TRC2NPY_PYTHON:-$target/venv/bin/python}"
export PYTHONDONTWRITEBYTECODE=1
# A page of messages that has changed is shown, not written.
export INSTA_UPDATE="${INSTA_UPDATE:-no}"
export PROPTEST_DISABLE_FAILURE_PERSISTENCE="${PROPTEST_DISABLE_FAILURE_PERSISTENCE:-1}"

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'tests/%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# What stages took and what their runners counted, to stand together at the very end.
took=()
counted=()

# Title, then the command; the time it took stands behind its last line. Not `"$@" || fail`: inside of that, bash
# would go on after a command that failed. The trap says which stage it was.
current=
tell_failure() { [ "$1" -eq 0 ] || [ -z "$current" ] || printf '\ntests/%s: FAILED: %s\n' "${0##*/}" "$current" >&2; }
# What else a script wants done at its end.
on_exit() { :; }
trap 'tell_failure $?; on_exit' EXIT
stage() {
    local start=$SECONDS
    current=$1
    shift
    say "$current"
    "$@"
    took+=("$(printf '%5d s  %s' $((SECONDS - start)) "$current")")
    printf -- '-- %s: %d s\n' "$current" $((SECONDS - start))
    current=
}

# Runs tests and keeps the lines in which their runner counts them.
tests() {
    local log=$target/${0##*/}.log
    mkdir -p "$target"
    "$@" 2>&1 | tee "$log"
    local line
    while IFS= read -r line; do
        counted+=("$line")
    done < <(grep -E '^ *Summary \[|^test result:|^Ran [0-9]+ tests' "$log")
}

have_python() {
    [ -x "$TRC2NPY_PYTHON" ] && "$TRC2NPY_PYTHON" -c '
import re, sys, numpy
wanted = re.search(r"^numpy==(\S+)", open("tests/requirements.txt").read(), re.M)[1]
sys.exit(numpy.__version__ != wanted)' 2>/dev/null
}

make_python() {
    have_python && return
    [ "$TRC2NPY_PYTHON" = "$target/venv/bin/python" ] ||
        fail "TRC2NPY_PYTHON=$TRC2NPY_PYTHON lacks what tests/requirements.txt names"
    local base
    for base in python3 python3.14 python3.13 python3.12 python3.11 ''; do
        [ -n "$base" ] || fail "no Python of 3.11 or newer found: the outputs are checked against numpy; please install python3 and python3-venv"
        command -v "$base" >/dev/null && "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && break
    done
    "$base" -m venv --clear "$target/venv" ||
        fail "$base cannot make a virtual environment: please install its venv module (Debian, Ubuntu: apt install python3-venv)"
    "$TRC2NPY_PYTHON" -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
    have_python || fail "numpy was installed into $target/venv and cannot be loaded"
}

# A tool of cargo, built once, unoptimised: it runs for a second.
tool() {
    case $("$target/tools/bin/$1" --version 2>/dev/null) in *"$2") return ;; esac
    cargo install --quiet --locked --debug --root "$target/tools" --target-dir "$target/tools/build" "$1@$2"
    rm -rf "$target/tools/build"
}

# The Debian package of the release binary. It is the same whoever makes it: the version in the lock is the one that is used.
DEB=3.8.0
make_deb() {
    tool cargo-deb "$DEB"
    rm -rf "$target/debian"
    CARGO_TARGET_DIR="$target" CARGO_DEB="$target/tools/bin/cargo-deb" deploy/debian/build
    TRC2NPY_DEB=$(echo "$target"/debian/*.deb)
}

# The last lines of all: the times and the counts.
closing() {
    say "all passed: $* ($SECONDS s)"
    printf '%s\n' "${took[@]}" ${counted[@]+"${counted[@]}"}
}
