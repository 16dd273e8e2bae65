#!/usr/bin/env bash
# Builds the program and the library and packs them as .deb files into FOLDER (build/packages), for the distribution
# that this runs on. Usage: tools/make_packages.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
./tools/install_packages.sh package
./tools/build.sh program
cmake --build build/release --target spanforge_manual -- --quiet
folder=$(realpath -m "${1:-build/packages}")
rm -rf "$folder"
(cd build/release && cpack -G DEB --config CPackConfig.cmake -B "$folder") >build/release/cpack.log 2>&1 || {
  cat build/release/cpack.log >&2
  exit 1
}
rm -rf "$folder/_CPack_Packages"
ls "$folder"/*.deb
