#!/usr/bin/env bash
# Builds spanforge and passes its tests. Usage: ./test.sh [--fast] [ctest options, e.g. -R text]
#   --fast   the tests labelled fast alone: under 2 minutes on 2 cores, and no Python packages
# The oracle tests compare with Hugging Face's Python packages, installed into .venv/; the tests of the server
# with unmodified clients have .venv-serve/, those of the Python module .venv-python/. Where that cannot be done, this says so and runs everything else. docs/testing.md has the times.
set -euo pipefail
cd "$(dirname "$0")"
selection=()
if [ "${1:-}" = --fast ]; then
  selection=(-L '^fast$')
  shift
fi

./tools/install_packages.sh test

if [ ${#selection[@]} -eq 0 ]; then
  ./tools/make_oracle_venv.sh || echo "test.sh: ORACLE TESTS ARE NOT RUN: their Python environment could not be made (see above)" >&2
  ./tools/make_python_venv.sh || echo "test.sh: THE TESTS python/ ARE NOT RUN: their Python environment could not be made (see above)" >&2
  ./tools/make_serve_venv.sh || echo "test.sh: serve/clients IS NOT RUN: its Python environment could not be made (see above)" >&2
fi

./tools/build.sh everything
ctest --test-dir build/release -j "$(nproc)" --output-on-failure --no-tests=error "${selection[@]}" "$@"
