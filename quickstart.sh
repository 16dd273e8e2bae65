#!/usr/bin/env bash
# From nothing to a trained model that answers: installs what is missing, builds, trains a small
# model from scratch on the bundled sample data, shows its scores beside trivial baselines, and asks
# it questions. Takes a few minutes on 2 cores and needs no hub.
#
#   ./quickstart.sh               a small model from scratch
#   ./quickstart.sh --model ID    fine-tunes a pretrained model (hub id or directory) on the same data
set -euo pipefail
cd "$(dirname "$0")"

model=""
case "${1:-}" in
  "") ;;
  --model) model="${2:?quickstart.sh: --model needs a hub id or a directory}" ;;
  --model=*) model="${1#--model=}" ;;
  *) echo "quickstart.sh: unknown option $1 (try ./quickstart.sh or ./quickstart.sh --model ID)" >&2; exit 2 ;;
esac

step() { printf '\n== %s\n' "$*"; }

cat <<'END'
Quickstart, on 2 cores:
  1. installs the distribution's packages that are missing: 130 to 200 MB to download, 0.6 to 0.9 GB of disk, 1 minute
     (as root or with sudo; it changes nothing where they are there)
  2. builds the program: 2 to 4 minutes
  3. makes a small model and trains it on the bundled data: 1 to 3 minutes (fine-tuning a model that you
     name takes longer: the first steps tell)
  4. scores it and asks it questions: half a minute
All else that it writes is in build/, 0.2 GB. It may be stopped and run again at any time.
END

step "Packages"
./tools/install_packages.sh build
step "Build"
./tools/build.sh program
spanforge=build/release/bin/spanforge
echo "built $spanforge"

train=data/sample/train.json
validation=data/sample/validation.json
hand_written=data/sample/hand_written.json
out=build/quickstart

step "The data: $train, $validation"
$spanforge data stats $train
$spanforge data check $train $validation

if [ -z "$model" ]; then
  step "A fresh model: 3 layers, 128 wide, its vocabulary trained on the sample text"
  rm -rf "$out/fresh"
  mkdir -p "$out"
  $spanforge model new --like tiny --intermediate-size 128 --dropout 0 --matrix-spread inputs \
    --text data/sample/text.txt --vocab-size 4000 --seed 42 --output "$out/fresh"
  run="$out/run"
  rm -rf "$run"
  step "Training"
  $spanforge train --model "$out/fresh" --train $train --validation $validation --output "$run" \
    --num-train-epochs 3 --per-device-train-batch-size 16 --learning-rate 1e-3 --adam-beta2 0.99 --warmup-ratio 0.1 \
    --max-seq-length 160 --window-overlap 32 --save-total-limit 1 --overwrite
else
  run="$out/run-pretrained"
  step "Fine-tuning $model"
  $spanforge train --model "$model" --train $train --validation $validation --output "$run" \
    --num-train-epochs 2 --save-total-limit 1 --bf16 auto --overwrite
fi

step "Questions written by hand, over texts unlike the generated ones (a small model from scratch is not meant to know these)"
$spanforge evaluate --model "$run/trained" --data $hand_written

step "Trivial baselines on the held-out contexts, for comparison"
$spanforge data baseline --train $train --validation $validation

step "The model on the held-out contexts"
$spanforge evaluate --model "$run/trained" --data $validation

step "Answers"
while IFS=$'\t' read -r context question; do
  $spanforge ask --model "$run/trained" --context "$context" --question "$question" </dev/null
done < data/sample/ask.tsv

step "Next"
cat <<END
TensorBoard:          tensorboard --logdir $run/logs
Ask it yourself:      $spanforge ask --model $run/trained --context "..." --question "..."
Your own data:        $spanforge data check YOUR.json && $spanforge train --model ID_OR_DIR --train YOUR.json --validation OTHER.json --output OUT
A pretrained model:   ./quickstart.sh --model bert-base-chinese
END
