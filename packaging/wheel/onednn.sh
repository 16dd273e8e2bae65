#!/usr/bin/env bash
# Builds the part of oneDNN that spanforge uses: matrix products on the CPU, for OpenMP. Debian's own library is 40 MB,
# most of it for other primitives and for GPUs, and loads OpenCL. This is Debian's version, so that answers have the
# bits of the program's (tools/prove_wheel.sh compares them).
# Usage: packaging/wheel/onednn.sh ARCHIVE PREFIX
# ARCHIVE: oneDNN's release 2.6.3 as GitHub packs it, which is also Debian's onednn_2.6.3.orig.tar.gz.
set -euo pipefail
cd "$(dirname "$0")/../.."
archive=$(realpath "$1") prefix=$(realpath -m "$2") version=2.6.3
sum=fd47d2470000b5015f6e34134f799683050f81cbc04f53a3b0d323df1bb900bc
[ -e "$prefix/made-$sum" ] && exit 0
echo "$sum  $archive" | sha256sum --check --quiet || { echo "onednn.sh: $archive is not oneDNN $version" >&2; exit 1; }
work=build/wheel/onednn-$version
rm -rf "$prefix"
if [ ! -d $work/source ]; then
  rm -rf $work/unpacked
  mkdir -p $work/unpacked
  tar -xzf "$archive" -C $work/unpacked --strip-components 1
  # What only other primitives use takes most of the time to compile. -z defs below shows that nothing is missing.
  find $work/unpacked/src/cpu -name '*.cpp' ! -path '*/injectors/*' ! -name '*utils*' \( -path '*/rnn/*' -o -path '*/lrn/*' \
    -o -path '*/prelu/*' -o -path '*/shuffle/*' -o -name '*conv*' -o -name '*pool*' -o -name '*normalization*' -o -name '*softmax*' \
    -o -name '*resampling*' -o -name '*reduction*' -o -name '*inner_product*' -o -name 'jit_uni_eltwise*' -o -name 'jit_uni_binary*' \) \
    ! -name '*_list.cpp' -delete
  mv $work/unpacked $work/source
fi
# The primitives are chosen in one list; sections let the linker drop the code of the others.
cmake -S $work/source -B $work/build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
  -DCMAKE_CXX_COMPILER_LAUNCHER="$PWD/tools/compile.sh" -DCMAKE_C_COMPILER_LAUNCHER="$PWD/tools/compile.sh" \
  -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG -ffunction-sections -fdata-sections" \
  -DCMAKE_SHARED_LINKER_FLAGS="-Wl,--gc-sections,-z,defs,-z,relro,-z,now" -DCMAKE_INSTALL_LIBDIR=lib \
  -DDNNL_LIBRARY_TYPE=SHARED -DDNNL_CPU_RUNTIME=OMP -DDNNL_GPU_RUNTIME=NONE -DDNNL_ARCH_OPT_FLAGS= \
  -DDNNL_ENABLE_WORKLOAD=INFERENCE "-DDNNL_ENABLE_PRIMITIVE=MATMUL;REORDER" -DDNNL_ENABLE_JIT_PROFILING=OFF \
  -DDNNL_ENABLE_ITT_TASKS=OFF -DDNNL_BUILD_EXAMPLES=OFF -DDNNL_BUILD_TESTS=OFF >$work/configure.log
cmake --build $work/build -- --quiet >$work/build.log 2>&1 || {
  cat $work/build.log >&2
  exit 1
}
cmake --install $work/build --strip >/dev/null
mkdir -p "$prefix/licenses"
cp $work/source/LICENSE $work/source/THIRD-PARTY-PROGRAMS "$prefix/licenses/"
touch "$prefix/made-$sum"
