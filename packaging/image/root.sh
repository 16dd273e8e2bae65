#!/usr/bin/env bash
# Makes a file system with the installed program, the libraries that it loads and their licences, and certificates.
# Runs on a bare system where the package is installed (tools/make_image.sh). Usage, as root:
#   packaging/image/root.sh PACKAGE OUT
#   PACKAGE  spanforge_*.deb, which it installs with what it depends on
set -euo pipefail
cd "$(dirname "$0")/../.."
package=$1 out=$2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
stop() { echo "root.sh: $*" >&2; exit 1; }
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$package" ca-certificates >apt.log 2>&1 || { cat apt.log >&2; exit 1; }
rm -f apt.log
rm -rf "$out"
mkdir -p "$out"/{usr/bin,usr/lib,usr/share/doc,etc/ssl/certs,tmp,model,cache,proc,sys,dev}
for folder in bin lib lib64; do
  [ ! -L /$folder ] || { mkdir -p "$out/usr/$folder"; ln -s usr/$folder "$out/$folder"; }
done

# take FILE: copies what it is, under its name, and notes its package.
packages=()
take() {
  local real
  real=$(realpath "$1")
  install -D -m "$(stat -c %a "$real")" "$real" "$out/$1"
  packages+=("$(dpkg -S "$real" 2>/dev/null || dpkg -S "${real#/usr}")")
}
take /usr/bin/spanforge
# ldd knows all that is loaded: the program opens no library later on, and glibc has its resolver in itself.
while read -r library; do take "$library"; done < <(ldd /usr/bin/spanforge | sed -nE 's/^[^/]*(\/[^ ]+) \(.*/\1/p')
install -m 644 /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/"
install -D -m 644 /etc/ssl/openssl.cnf "$out/etc/ssl/openssl.cnf"
packages+=(ca-certificates: libssl3: openssl:)
printf 'root:x:0:0::/:\nspanforge:x:10001:10001::/:\n' >"$out/etc/passwd"
printf 'root:x:0:\nspanforge:x:10001:\n' >"$out/etc/group"
printf 'hosts: files dns\n' >"$out/etc/nsswitch.conf"
cp /etc/os-release "$out/etc/os-release"
chmod 1777 "$out/tmp"
chown 10001:10001 "$out/cache"

# Licences, and for scanners which version of which package is here.
mkdir -p "$out/var/lib/dpkg/status.d" "$out/usr/share/common-licenses"
cp -a /usr/share/common-licenses/. "$out/usr/share/common-licenses/"
while read -r name; do
  dpkg-query -s "$name" >"$out/var/lib/dpkg/status.d/$name" 2>/dev/null || { rm "$out/var/lib/dpkg/status.d/$name"; continue; }
  install -D -m 644 "$(realpath "/usr/share/doc/$name/copyright")" "$out/usr/share/doc/$name/copyright"
done < <(printf '%s\n' "${packages[@]}" | cut -d: -f1 | sort -u)
echo "$out: $(du -sm --apparent-size "$out" | cut -f1) MB, $(ls "$out/var/lib/dpkg/status.d" | wc -l) packages"
