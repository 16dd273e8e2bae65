#!/usr/bin/env bash
# Installs the distribution packages spanforge needs and that are missing (Debian 12 or newer,
# Ubuntu 24.04 or newer). Usage: tools/install_packages.sh [build|test|bench|fuzz]
# Without root and without sudo it changes nothing and says what to install.
set -euo pipefail

packages=(g++ cmake ninja-build libdnnl-dev libhwy-dev
  libfmt-dev libtomlplusplus-dev libicu-dev libprotozero-dev libssl-dev libcurl4-openssl-dev
  zlib1g-dev)
case ${1:-build} in
  build) ;;
  test) packages+=(libgtest-dev python3 python3-venv ccache) ;;
  bench) packages+=(libbenchmark-dev python3 python3-venv ccache) ;;
  # libclang-rt-dev: the sanitizers' and libFuzzer's libraries, which clang only recommends;
  # llvm: its symbolizer names a finding's lines
  fuzz) packages+=(clang libclang-rt-dev libomp-dev llvm ccache) ;;
  *) echo "usage: install_packages.sh [build|test|bench|fuzz]" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "install_packages.sh: this is not a Debian or Ubuntu system; install the equivalents of: ${packages[*]}" >&2
  exit 1
fi
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  case $status in *"install ok installed"*) ;; *) missing+=("$package") ;; esac
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "install_packages.sh: missing packages; as root run: apt-get install -y ${missing[*]}" >&2
  exit 1
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
