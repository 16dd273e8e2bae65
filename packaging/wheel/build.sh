#!/usr/bin/env bash
# Builds the wheels on Debian 12 into build/wheels. tools/make_wheel.sh runs this in a bare root.
# Usage: packaging/wheel/build.sh ONEDNN TOOLS PYTHON...
#   ONEDNN  the archive of onednn.sh
#   TOOLS   a folder with the wheels of requirements.txt
#   PYTHON  interpreters with their headers: one of 3.11, and one of 3.12 or newer, whose wheel is for all these
set -euo pipefail
cd "$(dirname "$0")/../.."
here=packaging/wheel
onednn=$1 tools=$2
shift 2
./tools/install_packages.sh wheel
$here/onednn.sh "$onednn" build/wheel/onednn
$here/icu_data.sh build/wheel/icu
rm -rf build/wheels build/wheel/raw build/wheel/repaired
mkdir -p build/wheels
SOURCE_DATE_EPOCH=$(date -r CHANGELOG.md +%s)  # the same files make the same wheel
export SOURCE_DATE_EPOCH
for python in "$@"; do
  tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
  venv=build/wheel/venv-$tag
  cmake=$PWD/build/wheel-cmake  # one for all, and beside build/release, so that ccache knows its objects
  rm -rf "$cmake"
  "$python" -m venv --clear $venv
  $venv/bin/pip install --quiet --disable-pip-version-check --no-index --find-links "$tools" --require-hashes -r $here/requirements.txt
  echo "$tag: building (log: $cmake.log)"
  PATH=$PWD/$venv/bin:$PATH $venv/bin/pip --disable-pip-version-check wheel . --no-deps --no-index --no-build-isolation --verbose \
    --wheel-dir build/wheel/raw/$tag -C build-dir="$cmake" \
    -C cmake.define.CMAKE_PREFIX_PATH="$PWD/build/wheel/onednn" -C cmake.define.CMAKE_SHARED_LINKER_FLAGS=-Wl,-z,relro,-z,now \
    -C cmake.define.CMAKE_CXX_COMPILER_LAUNCHER="$PWD/tools/compile.sh" >"$cmake.log" 2>&1 || {
    tail -n 40 "$cmake.log" >&2
    exit 1
  }
  PATH=$PWD/$venv/bin:$PATH LD_LIBRARY_PATH=$PWD/build/wheel/onednn/lib:$PWD/build/wheel/icu \
    $venv/bin/auditwheel repair --plat manylinux_2_35_x86_64 --only-plat --wheel-dir build/wheel/repaired/$tag build/wheel/raw/$tag/*.whl
  $venv/bin/python $here/add_licences.py build/wheel/repaired/$tag/*.whl "$cmake" build/wheel/onednn build/wheels
done
for wheel in build/wheels/*.whl; do python3 $here/check.py "$wheel"; done
