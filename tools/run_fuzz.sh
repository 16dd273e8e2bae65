#!/usr/bin/env bash
# Builds the libFuzzer targets of fuzz/ with ASan and UBSan, runs them and prints a line about each.
# Usage: tools/run_fuzz.sh [--seconds N | --runs N] [--seed N] [--jobs N] [--timeout N] [--minimize]
#                          [NAME...]
#   --seconds N  each target runs N seconds (60)      --runs N     or N executions
#   --seed N     seed of the inputs (0: a new one each time); the same corpus gives the same inputs
#   --jobs N     targets at a time (2)                --timeout N  most seconds per input (25)
#   --minimize   first drops inputs that add nothing to the corpus: a long run starts several times faster
#   NAME         safetensors for fuzz/safetensors_fuzz.cpp, and so on; default: all of them
# build/fuzz keeps the results: corpora in corpus/, inputs that failed in findings/, the executions
# and seconds of processor time of all runs so far in totals/; the next run goes on from there. Fails
# if an input failed. After a fix, the finding belongs into fuzz/regressions/NAME.
set -euo pipefail
cd "$(dirname "$0")/.."

limit=-max_total_time=60 seed=0 jobs=2 timeout=25 minimize=
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) limit=-max_total_time=$2; shift 2 ;;
    --runs) limit=-runs=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --jobs) jobs=$2; shift 2 ;;
    --timeout) timeout=$2; shift 2 ;;
    --minimize) minimize=yes; shift ;;
    -*) sed -n '3,9s/^# //p' "$0" >&2; exit 2 ;;
    *) break ;;
  esac
done
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for source in fuzz/*_fuzz.cpp; do name=${source#fuzz/}; names+=("${name%_fuzz.cpp}"); done
fi
for name in "${names[@]}"; do
  [ -f "fuzz/${name}_fuzz.cpp" ] || { echo "run_fuzz.sh: $name: there is no fuzz/${name}_fuzz.cpp" >&2; exit 2; }
done

tools/install_packages.sh fuzz
cmake --preset fuzz >/dev/null
cmake --build build/fuzz -j "$(nproc)" --target "${names[@]/%/_fuzz}" -- --quiet

# Targets that need files write them here: in memory, if the system has such a place.
scratch=$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")
TMPDIR=$(mktemp -d "$scratch/spanforge-fuzz.XXXXXX")
# Stacks of allocations, freed memory beyond the cache's size, and filled new blocks cost more than a
# third of the speed; replay a finding without this to see where its memory came from.
lean=malloc_context_size=1:quarantine_size_mb=1:thread_local_quarantine_size_kb=64:max_malloc_fill_size=64
export TMPDIR OMP_NUM_THREADS=1 ASAN_OPTIONS=${ASAN_OPTIONS:-$lean}
trap 'rm -rf "$TMPDIR"' EXIT

run_target() {
  local name=$1 at=build/fuzz
  mkdir -p $at/corpus/"$name" $at/findings/"$name" $at/totals $at/logs
  local log=$at/logs/$name.log before after status=0 TIMEFORMAT='%0U %0S'
  before=$(find $at/findings/"$name" -type f | wc -l)
  local seeds=(fuzz/corpus/"$name")
  [ -d fuzz/regressions/"$name" ] && seeds+=(fuzz/regressions/"$name")
  if [ -n "$minimize" ]; then
    rm -rf $at/corpus/"$name".less && mkdir $at/corpus/"$name".less
    $at/bin/"${name}"_fuzz -merge=1 $at/corpus/"$name".less $at/corpus/"$name" "${seeds[@]}" >"$log" 2>&1 ||
      { echo "$name: exit $?: see $log"; return 1; }
    rm -rf $at/corpus/"$name" && mv $at/corpus/"$name".less $at/corpus/"$name"
  fi
  {
    time $at/bin/"${name}"_fuzz "$limit" -seed="$seed" -timeout="$timeout" -rss_limit_mb=2048 \
      -print_final_stats=1 -dict=fuzz/dictionaries/"$name".dict \
      -artifact_prefix=$at/findings/"$name"/ $at/corpus/"$name" "${seeds[@]}" >"$log" 2>&1 || status=$?
  } 2>"$log.seconds"
  after=$(find $at/findings/"$name" -type f | wc -l)
  local runs edges user system seconds all_runs=0 all_seconds=0
  read -r user system < <(tail -1 "$log.seconds")
  seconds=$((user + system))
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
  edges=$(grep -o 'cov: [0-9]*' "$log" | tail -1)
  [ -f $at/totals/"$name" ] && read -r all_runs all_seconds <$at/totals/"$name"
  all_runs=$((all_runs + ${runs:-0})) all_seconds=$((all_seconds + seconds))
  echo "$all_runs $all_seconds" >$at/totals/"$name"
  echo "$name: ${runs:-0} executions in $seconds s of processor time," \
    "$all_runs in all in $all_seconds s, ${edges:-cov: 0}," \
    "$((after - before)) findings$([ $status = 0 ] || echo ", exit $status: see $log")"
  [ $status = 0 ] && return
  # A log elsewhere may be gone with its machine: where it failed, and the input. libFuzzer prints
  # only the smallest ones.
  grep -E "ERROR:|SUMMARY:|runtime error:|what\(\):|Assertion|#[0-9]+ .*/(src|fuzz|apps)/[^ ]*:[0-9]+" "$log" | head -20
  sed -n 's/.*Test unit written to //p' "$log" | while read -r input; do
    echo "$input (base64 -d | gunzip): $(gzip -9nc "$input" | base64 -w0)"
  done
  return 1
}
export -f run_target
export limit seed timeout minimize
printf '%s\n' "${names[@]}" | xargs -P "$jobs" -I '{}' bash -c 'set -uo pipefail; run_target {}'
