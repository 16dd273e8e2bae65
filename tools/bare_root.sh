#!/usr/bin/env bash
# Checks what README promises for a machine with nothing installed: makes a new minimal root file
# system of a distribution and runs README's commands in it unchanged: ./quickstart.sh as root,
# ./quickstart.sh as a user without root, ./test.sh --fast as root. Usage, as root:
#   tools/bare_root.sh [options] [-- COMMAND...]
#   --distribution NAME  debian-12 (the default), debian-13, ubuntu-22.04 or ubuntu-24.04; only debian-12 and
#                        ubuntu-24.04 have all packages of the build
#   --ccache DIR         ccache's folder, for all commands except the first, which builds everything
#   --mirror URL         the distribution's archive (else its own)
#   --dir DIR            where the root is made (build/bare_root/NAME)
#   --keep               keeps the root; the next run removes it at its start
#   --bind FROM=TO       shows the folder FROM as TO in the root, read-only; repeated for others
#   --take PATH          copies PATH of the copied tree to the same place of this one after the COMMAND
#   COMMAND...           runs in /root/spanforge instead of README's commands
# It tests this working tree: all files that git tracks or does not ignore. It needs 5 GB of
# disk and a quarter of an hour on 2 cores, most of it building and training.
#
# Mounts and processes are in separate namespaces, which end with this script in any case: no mount
# remains, and removing the root cannot reach what was mounted in it.
#
# Each archive's lists are signed, and mmdebstrap checks them. Debian's keys are in the package
# debian-archive-keyring. Ubuntu's key is in ubuntu-keyring; if that is not installed (Debian 12
# has no such package), it is taken from the package in Ubuntu's own archive. In both cases only the
# key with the fingerprint below, which Ubuntu publishes, is accepted; any other ends the run.
set -euo pipefail
ubuntu_key=F6ECB3762474EDA9D21B7022871920D1991BC93C  # Ubuntu Archive Automatic Signing Key (2018)
ubuntu_keyring=pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1_all.deb

stop() { echo "bare_root.sh: $*" >&2; exit 1; }
usage() { sed -n '2,16s/^# //p' "$0" >&2; exit 2; }

distribution=debian-12 ccache='' mirror='' dir='' keep='' inside='' take='' binds=()
arguments=("$@")
while [ $# -gt 0 ]; do
  case $1 in
    --distribution | --ccache | --mirror | --dir | --bind | --take) [ $# -gt 1 ] || usage ;;&
    --distribution) distribution=$2; shift 2 ;;
    --ccache) ccache=$(realpath -m "$2"); shift 2 ;;
    --mirror) mirror=${2%/}; shift 2 ;;
    --dir) dir=$(realpath -m "$2"); shift 2 ;;
    --keep) keep=yes; shift ;;
    --bind) binds+=("$2"); shift 2 ;;
    --take) take=$2; shift 2 ;;
    --inside) inside=yes; shift ;;  # the call of itself, below
    --) shift; break ;;
    *) usage ;;
  esac
done
tree=$(realpath "$(dirname "$0")/..")
dir=${dir:-$tree/build/bare_root/$distribution}
root=$dir/root

architecture=$(dpkg --print-architecture 2>/dev/null) || stop "this is not a Debian or Ubuntu system"
case $distribution in
  debian-12) suite=bookworm ;;
  debian-13) suite=trixie ;;
  ubuntu-22.04) suite=jammy ;;
  ubuntu-24.04) suite=noble ;;
  *) stop "no distribution $distribution: debian-12, debian-13, ubuntu-22.04 or ubuntu-24.04" ;;
esac
case $distribution in
  debian-*)
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    main=${mirror:-http://deb.debian.org/debian}
    security=${mirror:+$mirror-security}
    sources=("deb $main $suite main" "deb $main $suite-updates main"
      "deb ${security:-http://deb.debian.org/debian-security} $suite-security main")
    ;;
  ubuntu-*)
    keyring=$dir/ubuntu.gpg
    main=${mirror:-http://archive.ubuntu.com/ubuntu}
    case $architecture in amd64 | i386) ;; *) main=${mirror:-http://ports.ubuntu.com/ubuntu-ports} ;; esac
    sources=("deb $main $suite main universe" "deb $main $suite-updates main universe"
      "deb $main $suite-security main universe")
    ;;
esac

# Writes Ubuntu's key, and no other, to $keyring.
take_ubuntu_key() {
  local from=/usr/share/keyrings/ubuntu-archive-keyring.gpg home=$dir/gnupg
  if [ ! -f $from ]; then
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$main/$ubuntu_keyring" "$dir/keyring.deb" >/dev/null ||
      stop "$main/$ubuntu_keyring cannot be fetched"
    dpkg-deb -x "$dir/keyring.deb" "$dir/keyring"
    from=$dir/keyring$from
  fi
  mkdir -m 700 "$home"
  gpg --homedir "$home" --batch --quiet --import "$from" 2>/dev/null || true
  gpg --homedir "$home" --batch --quiet --export "$ubuntu_key" >"$keyring"
  rm -rf "$home"
  [ -s "$keyring" ] || stop "the key with fingerprint $ubuntu_key is not in $from"
}

# --- Outside: prepares, starts itself in separate namespaces, cleans up ---

if [ -z "$inside" ]; then
  [ "$(id -u)" = 0 ] || stop "needs root, for mounts and chroot: sudo tools/bare_root.sh"
  "$tree"/tools/install_packages.sh bare_root
  mkdir -p "$dir"
  exec 9>"$dir.lock"
  flock -n 9 || stop "another run is using $dir"
  remove() { rm -rf --one-file-system "$dir"; }
  remove
  mkdir -p "$dir"
  child=''
  finish() {
    trap '' INT TERM HUP
    [ -z "$child" ] || { kill -KILL "$child" 2>/dev/null && wait "$child"; } || true
    # The kernel may take a moment to end the last process inside.
    [ -n "$keep" ] || remove 2>/dev/null || { sleep 2; remove; }
  }
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    "$tree"/tools/bare_root.sh --inside "${arguments[@]}" 9>&- </dev/null &
  child=$!
  status=0
  wait $child || status=$?
  child=''
  [ -z "$keep" ] || echo "the root is left in $root"
  exit $status
fi

# --- Inside ---

rows=()
# step NAME COMMAND...: runs the command, and notes how long it took.
step() {
  local name=$1 from=$SECONDS status=0
  shift
  printf '\n==== %s: %s\n' "$distribution" "$name"
  "$@" || status=$?
  rows+=("$(printf '%6d s  %s' $((SECONDS - from)) "$name")")
  [ $status = 0 ] || stop "$distribution: $name: ended with $status"
}
report() {
  printf '\n==== %s, seconds of each step\n' "$distribution"
  printf '%s\n' "${rows[@]}"
}
trap report EXIT
size() { du -smx "$@" | cut -f1; }

make_root() {
  local proxies=() line
  while IFS= read -r line; do proxies+=("--aptopt=$line"); done < <(apt-config dump | grep -E '^Acquire::https?::Proxy ' || true)
  # variant apt: the essential packages and apt, nothing else
  mmdebstrap --mode=root --variant=apt --architectures="$architecture" --keyring="$keyring" --quiet \
    "${proxies[@]}" "$suite" "$root" "${sources[@]}"
  cp /etc/resolv.conf /etc/hosts "$root"/etc/
}

mount_root() {
  mount -t proc proc "$root"/proc
  mount --bind /sys "$root"/sys
  mount -o remount,ro,bind "$root"/sys
  mount -t tmpfs -o mode=755 dev "$root"/dev
  local node
  for node in null zero full random urandom tty; do
    : >"$root"/dev/$node
    mount --bind /dev/$node "$root"/dev/$node
  done
  ln -s /proc/self/fd "$root"/dev/fd
  ln -s fd/0 "$root"/dev/stdin
  ln -s fd/1 "$root"/dev/stdout
  ln -s fd/2 "$root"/dev/stderr
  mkdir "$root"/dev/pts "$root"/dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root"/dev/pts
  ln -s pts/ptmx "$root"/dev/ptmx
  mount -t tmpfs -o mode=1777 shm "$root"/dev/shm
  if [ -n "$ccache" ]; then
    mkdir -p "$ccache" "$root"/var/cache/ccache
    mount --bind "$ccache" "$root"/var/cache/ccache
  fi
  local bind
  for bind in "${binds[@]}"; do
    mkdir -p "$root${bind#*=}"
    mount --bind "${bind%%=*}" "$root${bind#*=}"
    mount -o remount,ro,bind "$root${bind#*=}"
  done
}

copy_tree() {
  mkdir -p "$root$1"
  # If git names no file, tar makes an empty archive, and there is no quickstart.sh to run.
  (cd "$tree" && git -c safe.directory="$tree" ls-files -z --cached --others --exclude-standard) |
    tar -C "$tree" --null --files-from=- --ignore-failed-read -cf - 2>/dev/null | tar -C "$root$1" --no-same-owner -xf -
  git -c safe.directory="$tree" -C "$tree" describe --always --abbrev=12 --exclude='*' --dirty=+ >"$root$1/.commit"
  [ -x "$root$1/quickstart.sh" ] || stop "$tree is no git checkout: its files could not be copied"
}

environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
with_ccache=()
# as_root, as_user: a command in the copy of the tree of each, with little in its environment.
as_root() {
  chroot "$root" env -i "${environment[@]}" HOME=/root "${with_ccache[@]}" CCACHE_BASEDIR=/root/spanforge \
    bash -c 'cd /root/spanforge && exec "$@"' - "$@"
}
as_user() {  # reads ccache's folder, which may belong to a user outside, and does not write there
  (umask 077 && chroot --userspec=1000:1000 --groups= "$root" env -i "${environment[@]}" HOME=/home/someone "${with_ccache[@]}" \
    CCACHE_BASEDIR=/home/someone/spanforge CCACHE_READONLY=1 CCACHE_TEMPDIR=/tmp/ccache-someone \
    bash -c 'cd /home/someone/spanforge && exec "$@"' - "$@")
}
add_user() {
  echo 'someone:x:1000:1000::/home/someone:/bin/bash' >>"$root"/etc/passwd
  echo 'someone:x:1000:' >>"$root"/etc/group
  copy_tree /home/someone/spanforge
  chown -R 1000:1000 "$root"/home/someone
}
add_ccache() {
  as_root apt-get update -qq
  as_root apt-get install -y -qq --no-install-recommends ccache >/dev/null
  with_ccache=(CCACHE_DIR=/var/cache/ccache CCACHE_COMPILERCHECK=content CCACHE_IGNOREOPTIONS=-Werror CCACHE_SLOPPINESS=locale)
}

case $distribution in ubuntu-*) take_ubuntu_key ;; esac
[ -f "$keyring" ] || stop "no $keyring: install the package debian-archive-keyring"
step "making the root" make_root
mount_root
copy_tree /root/spanforge
bare=$(size "$root")
if [ $# -gt 0 ]; then
  [ -z "$ccache" ] || step "ccache" add_ccache
  step "$*" as_root "$@"
  if [ -n "$take" ]; then
    rm -rf "${tree:?}/$take"
    mkdir -p "$(dirname "$tree/$take")"
    cp -a --no-preserve=ownership "$root/root/spanforge/$take" "$tree/$take"
  fi
  exit
fi
step "./quickstart.sh as root" as_root ./quickstart.sh
built=$(size "$root"/root/spanforge)
echo "disk: bare root $bare MB; packages $(($(size "$root") - bare - built + $(size --exclude=build "$root"/root/spanforge))) MB; with quickstart's build and models the folder takes $built MB"
[ -z "$ccache" ] || step "ccache" add_ccache
add_user
step "./quickstart.sh as a user without root" as_user ./quickstart.sh
step "./test.sh --fast as root" as_root ./test.sh --fast
echo "disk: after the fast tests the folder takes $(size "$root"/root/spanforge) MB"
