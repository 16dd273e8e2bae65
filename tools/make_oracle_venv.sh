#!/usr/bin/env bash
# Makes .venv/ with the reference packages of tests/oracle/requirements.txt, once per version of
# that file. Exits non-zero, leaving no half-made environment in use, when it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=tests/oracle/requirements.txt
stamp=.venv/installed
wanted=$(sha256sum "$requirements")
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

echo "making .venv with the reference packages (torch, transformers ...); this takes some minutes"
if [ ! -x .venv/bin/python ]; then
  rm -rf .venv
  python3 -m venv .venv
fi
if ! .venv/bin/pip install --quiet --disable-pip-version-check -r "$requirements"; then
  rm -rf .venv
  exit 1
fi
echo "$wanted" > "$stamp"
