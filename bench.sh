#!/usr/bin/env bash
# Builds spanforge and measures it beside what people use today. Usage:
#   ./bench.sh                     everything (hours, most of it training)
#   ./bench.sh --list              what there is
#   ./bench.sh --only tokenizer,nbest | --skip training-large | --quick | --data DIR | --write
# The alternatives (torch, transformers, onnxruntime, openvino) go into build/bench-venv; what cannot
# be installed is named, and what needs it is left out. Results: build/bench/results.{json,md}.
set -euo pipefail
cd "$(dirname "$0")"

case " $* " in *" --list "* | *" --help "* | *" -h "*) exec python3 bench/run.py "$@" ;; esac
./tools/install_packages.sh bench
./tools/build.sh everything
./bench/make_venv.sh
exec env HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error PYTHONWARNINGS=ignore \
  build/bench-venv/bin/python bench/run.py "$@"
