#!/usr/bin/env bash
# Makes .venv-python/ with the packages of python/tests/requirements.txt (0.5 GB), once per version of that file, to
# build and test the Python module with. It sees the references in .venv (tools/make_oracle_venv.sh) as well, if they are
# there. If it cannot, it removes the environment and exits non-zero.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-python
requirements=python/tests/requirements.txt
wanted=$(sha256sum "$requirements")
[ -f $venv/installed ] && [ "$(cat $venv/installed)" = "$wanted" ] && exit 0

echo "the tests of the Python module need nanobind, datasets, pandas, mypy ...; making $venv with them (0.5 GB)"
rm -rf $venv
# The references are of one version of Python; this one must be the same.
python=python3
[ ! -x .venv/bin/python ] || python=.venv/bin/python
install() {
  "$python" -m venv $venv &&
    $venv/bin/python -m pip --disable-pip-version-check --no-input --timeout 30 --retries 3 install --quiet -r "$requirements"
}
if ! install; then
  rm -rf $venv
  exit 1
fi
if [ -d .venv/lib ]; then
  references=$(cd .venv && pwd -P)/lib/$(basename $venv/lib/python*)/site-packages
  echo "$references" > "$(echo $venv/lib/python*/site-packages)/references.pth"
fi
echo "$wanted" > $venv/installed
