#!/usr/bin/env bash
# Makes build/bench-venv with what spanforge is measured against (bench/requirements.txt, one package
# per line). A package that cannot be installed is named, listed in build/bench-venv/missing.txt and
# skipped: the workloads that need it say so. Does nothing if the list has not changed.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=build/bench-venv
requirements=bench/requirements.txt
wanted=$(sha256sum "$requirements")
[ -f $venv/installed ] && [ "$(cat $venv/installed)" = "$wanted" ] && exit 0

echo "making $venv (torch, transformers, onnxruntime, openvino ...); this takes some minutes" >&2
mkdir -p build
[ -x $venv/bin/python ] || python3 -m venv $venv
: > $venv/missing.txt
while read -r package; do
  case $package in '' | '#'*) continue ;; esac
  if ! $venv/bin/pip install --quiet --disable-pip-version-check -c $requirements "$package" > $venv/pip.log 2>&1; then
    echo "bench: $package could not be installed: $(tail -n 1 $venv/pip.log)" >&2
    echo "$package" >> $venv/missing.txt
  fi
done < "$requirements"
# If something is missing, the next call tries again.
[ -s $venv/missing.txt ] || echo "$wanted" > $venv/installed
