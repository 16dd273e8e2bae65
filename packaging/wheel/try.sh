#!/usr/bin/env bash
# Installs the wheel of a folder on this system, which has nothing but what apt-get brings with Python, without a
# network, and compares what it does with what the program did (work.sh). Usage, as root: packaging/wheel/try.sh GIVEN
set -euo pipefail
cd "$(dirname "$0")/../.."
given=$1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
stop() { echo "try.sh: $*" >&2; exit 1; }
. /etc/os-release
python=python3
[ "$ID $VERSION_ID" != "ubuntu 22.04" ] || python=python3.11
apt-get update -qq
apt-get install -y -qq --no-install-recommends $python $python-venv >apt.log 2>&1 || { cat apt.log >&2; exit 1; }
rm -f apt.log
for program in cc cmake; do ! command -v $program >/dev/null || stop "this system has $program"; done
venv=/tmp/venv
$python -m venv $venv
# alone COMMAND...: without a network but 127.0.0.1, which Python turns on.
alone() {
  unshare --net $python -c 'import fcntl, os, socket, struct, sys
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}
alone $venv/bin/pip install --quiet --disable-pip-version-check --no-index --find-links "$given/wheels" spanforge
alone $venv/bin/pip list --disable-pip-version-check --format freeze | grep -i spanforge
alone $venv/bin/python -m spanforge --version
$venv/bin/python -m spanforge --version | grep -q '^commit [0-9a-f]' || stop "--version does not say the commit"

# Each library is found, in the package or among those of every system.
packages=$($venv/bin/python -c 'import spanforge, pathlib; print(pathlib.Path(spanforge.__file__).parents[1])')
while read -r library; do
  missing=$(ldd "$library" | grep -E 'not found' || true)
  [ -z "$missing" ] || stop "$library: $missing"
  foreign=$(ldd "$library" | sed -nE 's/.* => (\/[^ ]+) .*/\1/p' | grep -vE "^$packages/|/(libc|libm|libstdc\+\+|libgcc_s|libpthread|libdl|librt|libz)\.so" || true)
  [ -z "$foreign" ] || stop "$library loads $foreign"
done < <(find "$packages/spanforge" "$packages/spanforge.libs" -name '*.so*')

alone packaging/wheel/work.sh "$given/model" /tmp/out $venv/bin/python -m spanforge
for file in "$given"/expected/*; do
  cmp "$file" "/tmp/out/$(basename "$file")" || stop "$(basename "$file") differs from the program's"
done
cat /tmp/out/answers
alone $venv/bin/python packaging/wheel/try.py "$given/model"
echo "$PRETTY_NAME, $($venv/bin/python --version), $(getconf GNU_LIBC_VERSION): answers, training and scores equal the program's"
