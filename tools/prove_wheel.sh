#!/usr/bin/env bash
# Proves the wheels of build/wheels (tools/make_wheel.sh): checks what is in them, then installs them on bare systems that
# have nothing but Python, without a network from then on, and compares answers and a training there with those of the
# program (packaging/wheel/try.sh).
# Usage, as root: tools/prove_wheel.sh [--program FILE] [--source] [DISTRIBUTION...]
#   --program FILE  the program, built on Debian 12 (build/release/bin/spanforge)
#   --source        then tries `pip install .` on a bare Debian 12, which builds (packaging/wheel/try_source.sh)
# Distributions: ubuntu-22.04 (the oldest glibc, Python 3.11), debian-12 (3.11), ubuntu-24.04 (3.12), debian-13 (3.13).
set -euo pipefail
cd "$(dirname "$0")/.."
program=build/release/bin/spanforge source='' distributions=()
while [ $# -gt 0 ]; do
  case $1 in
    --program) program=${2:?}; shift 2 ;;
    --source) source=yes; shift ;;
    -*) sed -n '2,9s/^# //p' "$0" >&2; exit 2 ;;
    *) distributions+=("$1"); shift ;;
  esac
done
[ ${#distributions[@]} -gt 0 ] || distributions=(ubuntu-22.04 debian-12 ubuntu-24.04 debian-13)
for wheel in build/wheels/*.whl; do python3 packaging/wheel/check.py "$wheel"; done

# What the wheels need besides, for each Python, in the local folder that pip is to use.
given=$PWD/build/wheel/proof
rm -rf "$given"
mkdir -p "$given/wheels"
cp build/wheels/*.whl "$given/wheels/"
for version in 3.11 3.12 3.13; do
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version $version \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 --dest "$given/wheels" 'numpy>=1.24'
done
# The program's answers and training.
"$program" model new --like tiny --text data/sample/text.txt --vocab-size 2000 --seed 3 --output "$given/model" >/dev/null
packaging/wheel/work.sh "$given/model" "$given/expected" "$program"

for distribution in "${distributions[@]}"; do
  tools/bare_root.sh --distribution "$distribution" --dir "build/bare_root/$distribution-python" --bind "$given=/mnt/given" \
    -- packaging/wheel/try.sh /mnt/given
done
if [ -n "$source" ]; then
  cp "$given"/wheels/numpy-*-cp311-*.whl build/wheel/inputs/tools/
  tools/bare_root.sh --distribution debian-12 --dir build/bare_root/debian-12-python --bind "$PWD/build/wheel/inputs/tools=/mnt/tools" \
    -- packaging/wheel/try_source.sh /mnt/tools
fi
