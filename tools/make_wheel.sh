#!/usr/bin/env bash
# Makes the Python wheels to hand out, in build/wheels: one for Python 3.11 and one for 3.12 and newer. It builds in a
# bare Debian 12 (tools/bare_root.sh), with that distribution's libraries, so that answers have the bits of its program.
# Usage, as root: tools/make_wheel.sh [--onednn ARCHIVE] [--ccache DIR] [--here] PYTHON3.11 PYTHON3.12
#   PYTHON      a folder with an installation of Python and its headers, as pyenv, uv or python.org's source make it
#   --onednn    oneDNN's archive (packaging/wheel/onednn.sh); else it is fetched
#   --ccache    ccache's folder
#   --here      builds on this machine, a Debian 12, instead of in a bare root
# tools/prove_wheel.sh tries the wheels in other bare systems.
set -euo pipefail
cd "$(dirname "$0")/.."
stop() { echo "make_wheel.sh: $*" >&2; exit 1; }
usage() { sed -n '2,9s/^# //p' "$0" >&2; exit 2; }
onednn=build/wheel/onednn_2.6.3.orig.tar.gz ccache=() here='' pythons=()
while [ $# -gt 0 ]; do
  case $1 in
    --onednn) onednn=${2:?}; shift 2 ;;
    --ccache) ccache=(--ccache "${2:?}"); shift 2 ;;
    --here) here=yes; shift ;;
    -*) usage ;;
    *) pythons+=("$(realpath "$1")"); shift ;;
  esac
done
[ ${#pythons[@]} = 2 ] || usage
for python in "${pythons[@]}"; do [ -x "$python/bin/python3" ] || stop "$python has no bin/python3"; done

mkdir -p build/wheel/inputs/tools
if [ ! -f "$onednn" ]; then
  # packaging/wheel/onednn.sh checks what came.
  for url in http://deb.debian.org/debian/pool/main/o/onednn/onednn_2.6.3.orig.tar.gz \
    https://github.com/oneapi-src/oneDNN/archive/refs/tags/v2.6.3.tar.gz; do
    curl -fsSL --retry 2 -o "$onednn" "$url" && break
  done
  [ -f "$onednn" ] || stop "oneDNN's archive could not be fetched; give it with --onednn"
fi
cp "$onednn" build/wheel/inputs/onednn.tar.gz
"${pythons[0]}/bin/python3" -m pip download --quiet --disable-pip-version-check --require-hashes --dest build/wheel/inputs/tools \
  -r packaging/wheel/requirements.txt

if [ -n "$here" ]; then
  packaging/wheel/build.sh build/wheel/inputs/onednn.tar.gz build/wheel/inputs/tools "${pythons[@]/%//bin/python3}"
else
  binds=(--bind "$PWD/build/wheel/inputs=/mnt/inputs")
  for python in "${pythons[@]}"; do binds+=(--bind "$python=$python"); done
  tools/bare_root.sh --distribution debian-12 "${ccache[@]}" "${binds[@]}" --take build/wheels \
    -- packaging/wheel/build.sh /mnt/inputs/onednn.tar.gz /mnt/inputs/tools "${pythons[@]/%//bin/python3}"
fi
ls -l build/wheels/*.whl
