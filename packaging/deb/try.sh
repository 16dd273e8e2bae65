#!/usr/bin/env bash
# Installs the .deb files of a folder on this system, which should be fresh, and uses them: tools/prove_packages.sh.
# Usage, as root: packaging/deb/try.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
packages=$1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
step() { echo "-- $*"; }
stop() { echo "try.sh: $*" >&2; exit 1; }
install() { apt-get install -y -qq --no-install-recommends "$@" >apt.log 2>&1 || { cat apt.log >&2; stop "apt-get install $* failed"; }; }
apt-get update -qq
! command -v spanforge >/dev/null || stop "there is a spanforge already"

step "the program, with nothing but what its package asks for"
install "$packages"/spanforge_*.deb
spanforge --version
spanforge --version | grep -q '^commit [0-9a-f]' || stop "--version does not say the commit"
spanforge --version | grep -q '^with oneDNN [0-9]' || stop "--version does not say the libraries"
work=$(mktemp -d)
spanforge model new --like tiny --text data/sample/text.txt --vocab-size 500 --seed 1 --output "$work/model" >/dev/null
spanforge ask --model "$work/model" --context "Anna went home." --question "Who went home?" | tee "$work/answer"
grep -q "'answer':" "$work/answer" || stop "there is no answer"
HF_HUB_OFFLINE=1 spanforge download org/name 2>"$work/hub" && stop "a model that nobody has was found"
grep -q 'org/name' "$work/hub" || stop "download said $(cat "$work/hub")"

step "manual pages and completions"
for page in spanforge spanforge-train spanforge-data-check; do
  [ "$(zcat /usr/share/man/man1/$page.1.gz | head -c 3)" = .TH ] || stop "$page.1.gz is no manual page"
done
for file in bash-completion/completions/spanforge zsh/vendor-completions/_spanforge fish/vendor_completions.d/spanforge.fish; do
  grep -q max-seq-length /usr/share/$file || stop "/usr/share/$file knows no option"
done
bash -c '. /usr/share/bash-completion/completions/spanforge && complete -p spanforge' >/dev/null
[ -s /usr/share/doc/spanforge/copyright ] || stop "there is no copyright file"

step "the library: find_package(spanforge)"
./tools/install_packages.sh prove >apt.log || { cat apt.log >&2; exit 1; }
install "$packages"/libspanforge-dev_*.deb
cmake -DPREFIX=/usr -DSOURCE="$PWD" -DDATA="$PWD/tests/e2e/data" -DWORK="$work/consumer" -DGENERATOR=Ninja -P tests/consumer/run.cmake

step "lintian"
ignored=initial-upload-closes-no-bugs  # no bug of Debian's is closed by these
# Made without DEBEMAIL they name no packager (docs/install.md).
! dpkg-deb -f "$packages"/spanforge_*.deb Maintainer | grep -q @localhost || ignored+=,bogus-mail-host,bogus-mail-host-in-debian-changelog
lintian --allow-root --fail-on error,warning --suppress-tags $ignored "$packages"/*.deb

step "removed"
apt-get purge -y -qq spanforge libspanforge-dev >apt.log 2>&1
left=$(find /usr /etc -iname '*spanforge*' | head)
[ -z "$left" ] || stop "left after removing: $left"
rm -rf "$work" apt.log
echo "the packages work on $(. /etc/os-release && echo "$PRETTY_NAME")"
