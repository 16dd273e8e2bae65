#!/usr/bin/env bash
# Answers and trains a little, and keeps what came out to the last bit: the same for the program and for the wheel.
# Usage: packaging/wheel/work.sh MODEL OUT COMMAND...      (COMMAND: spanforge, or python -m spanforge)
set -euo pipefail
model=$1 out=$2
shift 2
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=2
"$@" ask --model "$model" --context "Wendy Lambert bought twelve onions at the village fair. 陈伟擅长泡茶。" \
  --question "What did Wendy Lambert buy?" --question "陈伟擅长什么？" --top-k 5 --json >"$out/answers"
"$@" train --model "$model" --train data/sample/train.json --output "$work/run" --max-steps 4 --per-device-train-batch-size 8 \
  --max-seq-length 160 --seed 5 >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
sha256sum <"$work/run/trained/model.safetensors" >"$out/trained"
"$@" evaluate --model "$work/run/trained" --data data/sample/hand_written.json --json >"$out/scores" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
# Another encoding and words by dictionary: what ICU's data is for.
iconv -f utf-8 -t gb18030 data/sample/hand_written.json >"$work/gb18030.json"
"$@" data stats "$work/gb18030.json" --json 2>/dev/null | sed "s|$work||" >"$out/stats"
