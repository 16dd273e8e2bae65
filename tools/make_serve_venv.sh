#!/usr/bin/env bash
# Makes .venv-serve/ with the clients of tests/serve/requirements.txt (0.3 GB) and, from npm's registry, of
# tests/serve/package.json, once for each version of these files. If it cannot, it removes the environment and exits
# non-zero.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-serve
wanted=$(sha256sum tests/serve/requirements.txt tests/serve/package.json)
[ -f $venv/installed ] && [ "$(cat $venv/installed)" = "$wanted" ] && exit 0

echo "the tests of the server need Hugging Face's clients and schemathesis; making $venv with them (0.3 GB)"
rm -rf $venv
install() {
  python3 -m venv $venv &&
    $venv/bin/python -m pip --disable-pip-version-check --no-input --timeout 30 --retries 3 install --quiet -r tests/serve/requirements.txt &&
    cp tests/serve/package.json $venv/ &&
    PATH="$PWD/$venv/bin:$PATH" npm install --prefix $venv --silent --no-audit --no-fund
}
if ! install; then
  rm -rf $venv
  exit 1
fi
echo "$wanted" > $venv/installed
