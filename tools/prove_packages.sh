#!/usr/bin/env bash
# Proves the .deb files on bare systems: builds them in one bare root of each distribution (tools/make_packages.sh),
# then installs them with apt-get in a second, fresh one that built nothing, and there uses the program, the manual
# pages, the completions and find_package(spanforge), asks lintian, and removes them again (packaging/deb/try.sh).
# Usage, as root: tools/prove_packages.sh [--ccache DIR] [--built DIR] [DISTRIBUTION...]
#   --built DIR   installs the .deb files of DIR instead of building them; for one distribution
# Distributions: debian-12 and ubuntu-24.04 unless named. A quarter of an hour each on 2 cores, less with ccache.
# The files lie in build/packages/DISTRIBUTION then.
set -euo pipefail
cd "$(dirname "$0")/.."
ccache=() built='' distributions=()
while [ $# -gt 0 ]; do
  case $1 in
    --ccache) ccache=(--ccache "${2:?}"); shift 2 ;;
    --built) built=$(realpath "${2:?}"); shift 2 ;;
    -*) sed -n '2,9s/^# //p' "$0" >&2; exit 2 ;;
    *) distributions+=("$1"); shift ;;
  esac
done
[ ${#distributions[@]} -gt 0 ] || distributions=(debian-12 ubuntu-24.04)
for distribution in "${distributions[@]}"; do
  folder=$built
  if [ -z "$folder" ]; then
    folder=$PWD/build/packages/$distribution
    tools/bare_root.sh --distribution "$distribution" "${ccache[@]}" --take build/made \
      -- env DEBFULLNAME="${DEBFULLNAME:-}" DEBEMAIL="${DEBEMAIL:-}" tools/make_packages.sh build/made
    rm -rf "$folder"
    mkdir -p build/packages
    mv build/made "$folder"
  fi
  tools/bare_root.sh --distribution "$distribution" --dir "build/bare_root/$distribution-fresh" \
    --bind "$folder=/mnt/packages" -- packaging/deb/try.sh /mnt/packages
done
