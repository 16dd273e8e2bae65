#!/usr/bin/env bash
# Builds spanforge and passes every test. Usage: ./test.sh [ctest options, e.g. -R text]
# The oracle tests compare with Hugging Face's Python packages, installed into .venv/; where that
# cannot be done, this says so and runs everything else.
set -euo pipefail
cd "$(dirname "$0")"
jobs=$(nproc)

./tools/install_packages.sh test

./tools/make_oracle_venv.sh || echo "test.sh: ORACLE TESTS ARE NOT RUN: their Python environment could not be made (see above)" >&2

launcher=()
if command -v ccache >/dev/null; then
  launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
preset=release
[ "${CI:-}" = true ] && preset=ci  # the same folder, warnings as errors
cmake --preset $preset "${launcher[@]}" >/dev/null
cmake --build build/release -j "$jobs" -- --quiet
ctest --test-dir build/release -j "$jobs" --output-on-failure --no-tests=error "$@"
