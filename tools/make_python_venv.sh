#!/usr/bin/env bash
# Makes .venv-python/ with the packages of python/tests/requirements.txt (0.5 GB), once per version of that file, to
# build and test the Python module with. It also sees the references in .venv, of the same version of Python. If it
# cannot, it removes the environment and exits non-zero.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-python
requirements=python/tests/requirements.txt
wanted=$(sha256sum "$requirements")
[ -f $venv/installed ] && [ "$(cat $venv/installed)" = "$wanted" ] && exit 0

[ -x .venv/bin/python ] || { echo "make_python_venv.sh: first make .venv with tools/make_oracle_venv.sh" >&2; exit 1; }
.venv/bin/python -c 'import os, sysconfig; raise SystemExit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
  { echo "make_python_venv.sh: Python's headers are missing: sudo apt-get install python3-dev" >&2; exit 1; }
echo "the tests of the Python module need nanobind, datasets, pandas, mypy ...; making $venv with them (0.5 GB)"
rm -rf $venv
install() {
  .venv/bin/python -m venv $venv &&
    $venv/bin/python -m pip --disable-pip-version-check --no-input --timeout 30 --retries 3 install --quiet -r "$requirements"
}
if ! install; then
  rm -rf $venv
  exit 1
fi
packages=lib/$(basename $venv/lib/python*)/site-packages
echo "$(cd .venv && pwd -P)/$packages" > $venv/$packages/references.pth
echo "$wanted" > $venv/installed
