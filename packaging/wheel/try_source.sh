#!/usr/bin/env bash
# `pip install .` on a bare system: it must end with the apt-get line to run, and after that line it must work.
# Usage, as root: packaging/wheel/try_source.sh TOOLS    (a folder with wheels of what builds, as pip has no index here)
set -euo pipefail
cd "$(dirname "$0")/../.."
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PIP_NO_INDEX=1 PIP_FIND_LINKS=$1 PIP_DISABLE_PIP_VERSION_CHECK=1
stop() { echo "try_source.sh: $*" >&2; exit 1; }
apt-get update -qq
apt-get install -y -qq --no-install-recommends python3 python3-venv >apt.log 2>&1 || { cat apt.log >&2; exit 1; }
python3 -m venv /tmp/venv
! /tmp/venv/bin/pip install . >pip.log 2>&1 || stop "pip built without a compiler"
line=$(grep -oE 'apt-get install -y .*' pip.log) || { cat pip.log >&2; stop "pip does not say what to install"; }
echo "pip says: $line"
$line >apt.log 2>&1 || { cat apt.log >&2; stop "that line fails"; }
# pip would fetch these two where they are missing; this system has no index.
apt-get install -y -qq --no-install-recommends cmake ninja-build >apt.log 2>&1
/tmp/venv/bin/pip install . >pip.log 2>&1 || { tail -n 50 pip.log >&2; exit 1; }
rm -f apt.log pip.log
cd /tmp
/tmp/venv/bin/python -m spanforge --version
