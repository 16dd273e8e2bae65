#!/usr/bin/env bash
# Runs the image's file system as a container would: read-only but for /tmp and mounts, as its user, without any
# capability, in a network of its own. Then it is asked, also by the Dockerfile's health check, and stopped.
# Usage, as root: packaging/image/try.sh FOLDER    (with Dockerfile and root/)
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath "$1")
root=$folder/root most=150
stop() { echo "try.sh: $*" >&2; exit 1; }
if [ "${2:-}" != --inside ]; then
  size=$(du -sm --apparent-size "$root" | cut -f1)
  [ "$size" -le $most ] || stop "$size MB, more than $most"
  odd=$(find "$root" -xdev \( -perm /6000 -o -type b -o -type c \) | head)
  [ -z "$odd" ] || stop "setuid or device files: $odd"
  programs=$(find "$root" -xdev -type f -path '*bin/*' -printf '%f ')
  [ "$programs" = "spanforge " ] || stop "there are other programs: $programs"
  exec unshare --mount --pid --fork --kill-child --net --mount-proc "$0" "$folder" --inside
fi

# words NAME: the words of Dockerfile's instruction NAME ["a", "b"].
words() { sed -nE "s/^$1.*\[(.*)\]\$/\1/p" "$folder/Dockerfile" | tr -d '",'; }
work=$(mktemp -d)
mkdir "$work/root"
chroot "$root" /usr/bin/spanforge --version
mount --bind "$root" "$work/root"
mkdir -p "$work/files"
cp data/sample/text.txt "$work/files/"
mount --bind "$work/files" "$work/root/cache"
chroot "$work/root" /usr/bin/spanforge model new --like tiny --text /cache/text.txt --vocab-size 500 --seed 1 --output /cache/model >/dev/null
umount "$work/root/cache"
chmod -R a+rX "$work/files"
mount -o remount,ro,bind "$work/root"
mount --bind "$work/files/model" "$work/root/model"
mount -o remount,ro,bind "$work/root/model"
mount -t tmpfs -o mode=1777,size=16m tmp "$work/root/tmp"
mount -t proc proc "$work/root/proc"
python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))'  # SIOCSIFFLAGS: up, running

# inside COMMAND...: as the image's user, which has no capability and gets none.
inside=$work/inside
cat >"$inside" <<END
#!/bin/sh
exec env -i PATH=/usr/sbin:/usr/bin HOME=/ HF_HOME=/cache SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
  setpriv --no-new-privs chroot --userspec=10001:10001 --groups= "$work/root" "\$@"
END
chmod 755 "$inside"

! touch "$work/root/written" 2>/dev/null || stop "the root can be written"
"$inside" $(words ENTRYPOINT) $(words CMD) 2>"$work/log" &
server=$!
for _ in {1..100}; do
  ! "$inside" $(words HEALTHCHECK) >"$work/health" 2>&1 || break
  kill -0 $server 2>/dev/null || { cat "$work/log" >&2; stop "the server ended"; }
  sleep 0.2
done
grep -qx ready "$work/health" || { cat "$work/health" "$work/log" >&2; stop "never ready"; }
[ "$(stat -c %u /proc/$server)" = 10001 ] || stop "it runs as user $(stat -c %u /proc/$server)"
python3 - <<'END'
import json, urllib.request
body = {"questions": [{"question": "Who went home?", "context": "Anna went home."}]}
request = urllib.request.Request("http://127.0.0.1:8080/v1/answer", json.dumps(body).encode(), {"Content-Type": "application/json"})
with urllib.request.urlopen(request, timeout=30) as reply:
    answer = json.load(reply)["answers"][0]["spans"][0]
assert answer["answer"] in "Anna went home.", answer
print("answered over HTTP:", answer)
END
kill -TERM $server
wait $server || stop "SIGTERM ended it with $?"
! "$inside" $(words HEALTHCHECK) >"$work/health" 2>&1 || stop "the health check finds a server that is gone"
echo "the image's file system: $(du -sm --apparent-size "$root" | cut -f1) MB, works read-only as user 10001"
