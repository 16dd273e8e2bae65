#!/usr/bin/env bash
# Configures build/release and builds in it; prints how long that took.
# Usage: tools/build.sh program|everything
#   program     the program alone: needs only the packages of `tools/install_packages.sh build`
#   everything  the program, then all other programs, the tests, the benchmarks and, if .venv-python/ is there, the
#               Python module
# Both use one folder, in any order: what is built stays built. With CI=true warnings are errors.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/release
what=${1:-}
case $what in program | everything) ;; *) sed -n '3,7s/^# //p' "$0" >&2; exit 2 ;; esac

stop() { echo "build.sh: $*" >&2; exit 1; }

# A folder that cannot be used gives one line here instead of CMake's or ninja's errors.
in_cache() { sed -n "s/^$1:[A-Z]*=//p" $build/CMakeCache.txt 2>/dev/null || true; }
mkdir -p $build 2>/dev/null || stop "$PWD/build cannot be written: make it yours, or work in a copy of this folder"
other=$(find $build -maxdepth 1 ! -writable -print -quit)
[ -z "$other" ] || stop "$other belongs to $(stat -c %U "$other"): remove $PWD/build as that user, or work in a copy of this folder"
home=$(in_cache CMAKE_HOME_DIRECTORY)
[ -z "$home" ] || [ "$home" -ef . ] || stop "$build was made for $home: remove it (rm -r $build) and run this again"

# The program needs no package of the tests. If tests are already configured, they stay so: ninja
# would delete what they built.
tests=ON
[ "$what" = program ] && [ "$(in_cache SPANFORGE_TESTS)" != ON ] && tests=OFF
options=(-DSPANFORGE_TESTS=$tests)
if [ "$what" = everything ]; then
  options+=(-DSPANFORGE_BENCH=ON)
  if [ -f .venv-python/installed ]; then
    options+=(-DSPANFORGE_PYTHON=ON "-DPython_EXECUTABLE=$PWD/.venv-python/bin/python")
  fi
fi
preset=release
[ "${CI:-}" = true ] && preset=ci
configure() { cmake --preset $preset "$@" >$build/configure.log 2>&1; }
if ! configure "${options[@]}"; then
  # The tests' packages may have been removed since the folder was made.
  { [ "$what" = program ] && configure -DSPANFORGE_TESTS=OFF -DSPANFORGE_BENCH=OFF; } || {
    cat $build/configure.log >&2
    stop "CMake could not configure $build (see above)"
  }
fi
grep -A2 '^CMake Warning' $build/configure.log >&2 || true

# Ninja's own line on a terminal; elsewhere ten lines of progress, and all other output.
show() {
  if [ -t 1 ] && [ -n "${TERM:-}" ] && [ "${TERM:-}" != dumb ]; then
    cmake --build $build "$@"
    return
  fi
  local line shown=0
  cmake --build $build "$@" 2>&1 | while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]]; then
      ((BASH_REMATCH[1] * 10 / BASH_REMATCH[2] <= shown)) && continue
      shown=$((BASH_REMATCH[1] * 10 / BASH_REMATCH[2]))
      line="${BASH_REMATCH[0]}built"
    fi
    [[ $line == "ninja: no work to do." ]] || printf '%s\n' "$line"
  done
}

timed() {
  local name=$1 log=$build/ccache.log times wall user system hits=0 misses=0
  shift
  rm -f $log
  exec 3>&1 4>&2
  times=$({ TIMEFORMAT='%0R %0U %0S'; time CCACHE_STATSLOG=$PWD/$log show "$@" >&3 2>&4; } 2>&1) || exit
  exec 3>&- 4>&-
  read -r wall user system <<<"$times"
  if [ -f $log ]; then
    hits=$(grep -c -E '^(direct|preprocessed)_cache_hit$' $log || true)
    misses=$(grep -c -E '^(cache_miss|recache)$' $log || true)
    hits=" ($misses objects compiled, $hits taken from ccache)"
  else
    hits=
  fi
  echo "$name: built in $wall s, $((user + system)) s of processor time$hits"
  all_wall=$((all_wall + wall)) all_processor=$((all_processor + user + system))
}
all_wall=0 all_processor=0
jobs=$(nproc)
timed "the program" -j "$jobs" --target spanforge
if [ "$what" != program ]; then
  timed "the rest" -j "$jobs"
  echo "everything: built in $all_wall s, $all_processor s of processor time"
fi
