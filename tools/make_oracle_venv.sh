#!/usr/bin/env bash
# Makes .venv/ with the reference packages of tests/oracle/requirements.txt, once per version of
# that file. Prints before it downloads how much that is. If it fails, it exits non-zero and leaves no
# half-made environment in use.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=tests/oracle/requirements.txt
stamp=.venv/installed
wanted=$(sha256sum "$requirements")
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

echo "the oracle tests need the reference packages (torch, transformers ...); making .venv with them"
if [ ! -x .venv/bin/python ]; then
  rm -rf .venv
  python3 -m venv .venv
fi
pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input --timeout 30 --retries 3 "$@"; }

# torch's build for CPUs is a fourteenth of PyPI's, which has CUDA's libraries.
torch=$(grep '^torch==' $requirements)
cpu_index=https://download.pytorch.org/whl/cpu
reached() {
  .venv/bin/python - "$cpu_index/torch/" "torch-${torch#*==}%2Bcpu-" <<'END' 2>/dev/null
import sys, urllib.request
sys.exit(sys.argv[2] not in urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())
END
}
install() {
  if pip install --quiet --no-index --no-deps "$torch" 2>/dev/null; then
    echo "$torch is taken from the folder that pip is configured with (find-links)"
    echo "downloading about 0.3 GB from PyPI; .venv will take 1.8 GB"
  elif reached; then
    echo "downloading about 0.5 GB, 0.2 of it $torch for CPUs from $cpu_index; .venv will take 1.8 GB"
    pip install --quiet --no-deps --index-url $cpu_index "$torch" || return
  else
    echo "$cpu_index cannot be reached or has no $torch: taking PyPI's, which comes with CUDA's libraries"
    echo "downloading about 3 GB; .venv will take 7 GB"
  fi
  pip install --quiet -r "$requirements"
}
if ! install; then
  rm -rf .venv
  exit 1
fi
echo "$wanted" > "$stamp"
