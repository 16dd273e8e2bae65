#pragma once
// The Highway targets of the kernels, the same in every file: on x86-64 AVX-512, AVX2 and, at
// least, SSE4; elsewhere Highway's own choice. Include this before any other header of Highway.

#if defined(__x86_64__)
#define HWY_BASELINE_TARGETS HWY_SSE4
#define HWY_DISABLED_TARGETS (HWY_SCALAR | HWY_SSSE3 | HWY_AVX3_DL)
#endif

#include <hwy/targets.h>
