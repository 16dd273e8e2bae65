#pragma once
// Which instruction sets GEMM and the kernels use. gemm.h declares the two questions that layers
// above may ask (bf16_is_fast, instruction_set); here is what this folder and its tests need.

#include <string>
#include <vector>

namespace spanforge::ops {

// Applies SPANFORGE_MAX_ISA to oneDNN and Highway once; cheap afterwards.
void apply_isa_limit();

// What the CPU has and SPANFORGE_MAX_ISA allows.
enum class Instructions { kAvx512Vnni, kAvx512Bf16, kAmx };
bool may_use(Instructions instructions);

// Names of the kernel targets built in that this CPU can run, best first: "AVX3", "AVX2", "SSE2".
std::vector<std::string> kernel_targets();
// Makes kernels run on that target only (tests); "" lets all be chosen from again.
void use_kernel_target(const std::string& name);

}  // namespace spanforge::ops
