#!/usr/bin/env bash
# Builds everything with sanitizers and runs the tests under them.
# Usage: tools/run_sanitizers.sh [address|thread] [ctest options, e.g. -R text]
#   address  AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer (the default)
#   thread   ThreadSanitizer; it also sees OpenMP's regions (tools/sanitizers/openmp_edges.cpp)
# Runs every test except the comparisons with Python (-L oracle runs those). docs/RELIABILITY.md
# says how long it takes.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-address}
[ $# -gt 0 ] && shift
case $kind in
  address) preset=asan ;;
  thread) preset=tsan ;;
  *) echo "usage: run_sanitizers.sh [address|thread] [ctest options]" >&2; exit 2 ;;
esac
selection=(-LE oracle)
for option in "$@"; do
  case $option in -L|-LE|--label-regex|--label-exclude) selection=() ;; esac
done
jobs=$(nproc)

./tools/install_packages.sh test
cmake --preset $preset >/dev/null
cmake --build build/$preset -j "$jobs" -- --quiet

suppressions=$PWD/tools/sanitizers
export ASAN_OPTIONS=detect_stack_use_after_return=1:check_initialization_order=1:strict_string_checks=1
export LSAN_OPTIONS=suppressions=$suppressions/leaks.txt:print_suppressions=0
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=suppressions=$suppressions/races.txt:second_deadlock_stack=1:history_size=7
# Several threads per region on any machine. On some kernels, random addresses leave ThreadSanitizer
# no room; without them it finds as much.
run=()
if [ $kind = thread ]; then
  export OMP_NUM_THREADS=3
  setarch -R true 2>/dev/null && run=(setarch -R)
fi
"${run[@]}" ctest --test-dir build/$preset -j "$jobs" --output-on-failure --no-tests=error "${selection[@]}" "$@"
