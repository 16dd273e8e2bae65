#!/usr/bin/env bash
# Formats the C++ files by .clang-format. Usage: tools/format.sh [--check]
#   --check   changes nothing, shows what would change, and fails if anything would
# Only clang-format 14: other versions format differently (clang-format-14 in Debian 12 and Ubuntu 24.04).
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(-i)
case ${1:-} in
  "") ;;
  --check) mode=(--dry-run --Werror) ;;
  *) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
esac
command -v clang-format-14 >/dev/null || {
  echo "format.sh: clang-format-14 is missing; tools/install_packages.sh format installs it" >&2
  exit 1
}
git ls-files -z --cached --others --exclude-standard '*.cpp' '*.h' | xargs -0 -P "$(nproc)" -n 40 clang-format-14 "${mode[@]}"
