#!/usr/bin/env bash
# Installs the missing distribution packages that spanforge needs (Debian 12 or newer,
# Ubuntu 24.04 or newer, there with the component universe).
# Usage: tools/install_packages.sh [--print] [build|test|package|prove|python|wheel|bench|fuzz|format|bare_root [PACKAGE...]]
# Without root and sudo it changes nothing and prints what to install. --print: prints only the command that installs
# what is missing, and fails if something is; on another system it prints nothing.
set -euo pipefail

# ca-certificates: without it no hub can be reached over HTTPS
packages=(g++ cmake ninja-build libdnnl-dev libhwy-dev
  libfmt-dev libboost-dev libtomlplusplus-dev libicu-dev libprotozero-dev libgloo-dev libhiredis-dev libssl-dev
  libcurl4-openssl-dev zlib1g-dev ca-certificates)
only_print=
if [ "${1:-}" = --print ]; then
  only_print=yes
  shift
fi
case ${1:-build} in
  build) ;;
  # python3-dev: the Python module; openmpi-bin: ranks started by mpirun; mount: tests of full disks mount small ones; zsh, fish, groff-base: they read what `help` makes for them;
  # redis-tools: holds a Redis server, under another name, and starts none
  test) packages+=(libgtest-dev libbenchmark-dev python3 python3-venv python3-dev openmpi-bin redis-tools ccache mount zsh fish groff-base) ;;
  package) packages+=(dpkg-dev file ccache) ;;
  prove) packages=(cmake g++ ninja-build lintian) ;;
  wheel) packages+=(icu-devtools binutils python3 python3-venv ccache) ;;
  # pip brings CMake and ninja where they are missing; Python downloads
  python) packages=($(printf '%s\n' "${packages[@]}" | grep -vxE 'cmake|ninja-build|libcurl4-openssl-dev|libgloo-dev|libhiredis-dev')) ;;
  bench) packages+=(libbenchmark-dev libgtest-dev python3 python3-venv ccache) ;;
  # libclang-rt-dev: the sanitizers' and libFuzzer's libraries, which clang only recommends;
  # llvm: its symbolizer names a finding's lines
  fuzz) packages+=(clang libclang-rt-dev libomp-dev llvm ccache) ;;
  format) packages=(clang-format-14 git) ;;
  bare_root) packages=(mmdebstrap util-linux gpg git debian-archive-keyring ccache) ;;
  *) echo "usage: install_packages.sh [--print] [build|test|package|prove|python|wheel|bench|fuzz|format|bare_root]" >&2; exit 2 ;;
esac
packages+=("${@:2}")

stop() { echo "install_packages.sh: $*" >&2; exit 1; }

[ -z "$only_print" ] || command -v dpkg-query >/dev/null || exit 0
command -v dpkg-query >/dev/null || stop "this is not a Debian or Ubuntu system; install the equivalents of: ${packages[*]}"
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  case $status in *"install ok installed"*) ;; *) missing+=("$package") ;; esac
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ -n "$only_print" ]; then
  echo "apt-get install -y --no-install-recommends ${missing[*]}"
  exit 1
fi

echo "packages to install: ${missing[*]}"
if [ "$(id -u)" = 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
  as_root=(sudo)  # it asks for the password, but only on a terminal
else
  stop "packages are missing; as root run: apt-get install -y --no-install-recommends ${missing[*]}"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# apt-get ARGUMENT...: on a terminal shows all its output; elsewhere only the amount, and all of it if
# it fails. It waits for another apt that is running.
apt_get() {
  local command=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -y "$@")
  local status=0
  if [ -t 1 ]; then
    "${command[@]}" 2>&1 | tee "$log" || status=$?
  else
    "${command[@]}" >"$log" 2>&1 || status=$?
    grep -E '^(Need to get|After this operation)' "$log" || true
    [ $status = 0 ] || grep -E '^(E|W|Err):?' "$log" >&2 || cat "$log" >&2
  fi
  return $status
}

if [ -n "$("${as_root[@]}" ls -A /var/lib/dpkg/updates)" ]; then
  echo "an installation was interrupted: finishing it (dpkg --configure -a)"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive dpkg --configure -a
fi

echo "reading the package lists (apt-get update)"
for _ in {1..30}; do
  apt_get update && break
  # The lists have a separate lock, for which apt does not wait.
  grep -q 'Could not get lock /var/lib/apt/lists' "$log" || {
    echo "install_packages.sh: apt-get update failed; trying with the lists that are there" >&2
    break
  }
  echo "another apt is at work; waiting for it"
  sleep 10
done

unknown=()
for package in "${missing[@]}"; do
  [ -n "$(apt-cache madison "$package" 2>/dev/null)" ] || unknown+=("$package")
done
if [ ${#unknown[@]} -gt 0 ]; then
  hint="the package lists could not be read, or this release is older than Debian 12 and Ubuntu 24.04"
  grep -qs '^ID=ubuntu' /etc/os-release && hint="they may be in universe: add-apt-repository universe, or add the word universe to the lists under /etc/apt"
  stop "apt knows no package ${unknown[*]}; $hint"
fi

echo "installing (apt-get install)"
apt_get install --no-install-recommends "${missing[@]}" ||
  stop "apt-get could not install them (see above); mend that and run this again"
