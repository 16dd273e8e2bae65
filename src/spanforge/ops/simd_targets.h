#pragma once
// Which Highway targets the kernels are compiled for, the same in every file: on x86-64 AVX-512,
// AVX2 and, as the least, SSE4; elsewhere Highway's own choice. Include before any other header of
// Highway.

#if defined(__x86_64__)
#define HWY_BASELINE_TARGETS HWY_SSE4
#define HWY_DISABLED_TARGETS (HWY_SCALAR | HWY_SSSE3 | HWY_AVX3_DL)
#endif

#include <hwy/targets.h>
