#!/usr/bin/env bash
# steps.sh SOURCE WORK: tools/build.sh and tools/install_packages.sh in a copy of the tree, where
# cmake, dpkg-query, apt-get and others are stand-ins that write down how they were called.
set -euo pipefail
source=$1 work=$2
rm -rf "$work"
mkdir -p "$work/bin" "$work/tree/tools"
cp "$source"/tools/*.sh "$work/tree/tools"
cd "$work/tree"
calls=$work/calls
fail() { echo "steps.sh: $case: $*" >&2; cat "$calls" "$work/said" >&2; exit 1; }
stand_in() {  # NAME COMMANDS
  printf '#!/bin/bash\necho "%s $*" >>%q\n%s\n' "$1" "$calls" "$2" >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}
# A case: run COMMAND... wants a status, then says and calls want a line, lines their number.
run() {
  local want=$1 status=0
  shift
  : >"$calls"
  PATH=$work/bin:$PATH "$@" >"$work/said" 2>&1 </dev/null || status=$?
  [ $status = "$want" ] || fail "ended with $status, wanted $want"
}
says() { grep -q -- "$1" "$work/said" || fail "says nothing of '$1'"; }
lines() { [ "$(wc -l <"$work/said")" = "$1" ] || fail "says more than $1 lines"; }
calls() { grep -q -- "$1" "$calls" || fail "does not call '$1'"; }
no_call() { ! grep -q -- "$1" "$calls" || fail "calls '$1'"; }
cache() { mkdir -p build/release; printf '%s\n' "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$@" >build/release/CMakeCache.txt; }

stand_in cmake '
[ -z "${NO_GTEST:-}" ] || case $* in *TESTS=ON*) echo "the tests need GoogleTest" >&2; exit 1 ;; esac
case $1 in --build) echo "[1/2] one"; echo "a warning"; echo "[2/2] two" ;; esac'

case="the program in a new folder"
run 0 tools/build.sh program
calls 'SPANFORGE_TESTS=OFF'
calls 'target spanforge$'
says '^a warning$'
says '^the program: built in [0-9]* s, [0-9]* s of processor time'
case="everything in a new folder"
run 0 tools/build.sh everything
calls 'SPANFORGE_TESTS=ON'
says '^the rest: built in'
says '^everything: built in [0-9]* s, [0-9]* s of processor time$'
case="the program where the tests are configured"
cache SPANFORGE_TESTS:BOOL=ON
run 0 tools/build.sh program
calls 'SPANFORGE_TESTS=ON'
no_call 'TESTS=OFF'
case="the program where the tests were configured and their packages are gone"
run 0 env NO_GTEST=1 tools/build.sh program
calls 'TESTS=OFF'
case="everything without the tests' packages"
run 1 env NO_GTEST=1 tools/build.sh everything
says 'need GoogleTest'
case="a folder made for another place"
cache && sed -i 's/=.*/=\/elsewhere/' build/release/CMakeCache.txt
run 1 tools/build.sh program
says 'was made for /elsewhere: remove it (rm -r build/release)'
lines 1
case="a compiler that fails"
cache
stand_in cmake 'case $1 in --build) echo "FAILED: x.o"; exit 3 ;; esac'
run 3 tools/build.sh program
says '^FAILED: x.o$'
case="no purpose"
run 2 tools/build.sh
if [ "$(id -u)" = 0 ]; then
  case="a folder of somebody else"
  chmod 755 "$work" "$work/tree" build build/release
  if setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$PWD" 2>/dev/null; then
    run 1 setpriv --reuid 65534 --regid 65534 --clear-groups tools/build.sh program
    says 'build/release belongs to root'
    lines 1
    rm -r build
    run 1 setpriv --reuid 65534 --regid 65534 --clear-groups tools/build.sh program
    says 'cannot be written'
    lines 1
  fi
fi

stand_in dpkg-query 'echo "install ok installed"'
stand_in apt-get ''
case="nothing is missing"
run 0 tools/install_packages.sh test
lines 0
no_call apt-get
stand_in dpkg-query 'exit 1'
stand_in id 'echo 1000'
stand_in sudo 'exit 1'
case="packages are missing, and there is no root"
run 1 tools/install_packages.sh build
says 'as root run: apt-get install -y --no-install-recommends g++ .*ca-certificates'
no_call apt-get
stand_in id 'echo 0'
stand_in apt-cache 'echo "$2 | 1 | archive"'
case="packages are missing"
run 0 tools/install_packages.sh build
calls '^apt-get .*update$'
calls '^apt-get .*install --no-install-recommends g++'
case="a mirror fails"
stand_in apt-get 'case $* in *update*) echo "E: no such mirror"; exit 100 ;; esac'
run 0 tools/install_packages.sh build
says 'no such mirror'
says 'the lists that are there'
case="a package is not in the lists"
stand_in apt-cache 'case $2 in libhwy-dev) ;; *) echo "$2 | 1 | archive" ;; esac'
run 1 tools/install_packages.sh build
says 'apt knows no package libhwy-dev;'
no_call ' install '
case="apt cannot install"
stand_in apt-cache 'echo "$2 | 1 | archive"'
stand_in apt-get 'case $* in *install*) echo "E: no space left"; exit 100 ;; esac'
run 1 tools/install_packages.sh build
says 'no space left'
says 'mend that and run this again'
rm -rf "$work"
