#!/usr/bin/env bash
# Makes the file system of the container image in build/image/root from the .deb file of Debian 12, tries it, and builds
# the image where buildah is installed. Usage, as root: tools/make_image.sh [--ccache DIR] [--built DIR]
#   --built DIR   takes spanforge_*.deb of DIR, made for Debian 12, instead of building it
# build/image is then what `docker build build/image` needs.
set -euo pipefail
cd "$(dirname "$0")/.."
ccache=() built=''
while [ $# -gt 0 ]; do
  case $1 in
    --ccache) ccache=(--ccache "${2:?}"); shift 2 ;;
    --built) built=$(realpath "${2:?}"); shift 2 ;;
    *) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
  esac
done
if [ -z "$built" ]; then
  built=$PWD/build/packages/debian-12
  tools/bare_root.sh --distribution debian-12 "${ccache[@]}" --take build/made \
    -- env DEBFULLNAME="${DEBFULLNAME:-}" DEBEMAIL="${DEBEMAIL:-}" tools/make_packages.sh build/made
  rm -rf "$built"
  mkdir -p build/packages
  mv build/made "$built"
fi
package=$(basename "$built"/spanforge_*.deb)
rm -rf build/image
mkdir -p build/image
tools/bare_root.sh --distribution debian-12 --dir build/bare_root/debian-12-image --bind "$built=/mnt/packages" \
  --take build/image/root -- packaging/image/root.sh "/mnt/packages/$package" build/image/root
chown 10001:10001 build/image/root/cache
cp packaging/image/Dockerfile build/image/
packaging/image/try.sh build/image
if command -v buildah >/dev/null; then
  buildah --storage-driver vfs bud --quiet --isolation chroot --format docker --tag spanforge build/image
else
  echo "no buildah here: docker build --tag spanforge build/image"
fi
