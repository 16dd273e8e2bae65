#pragma once
// Which instruction sets GEMM and the kernels use. gemm.h declares the two questions for layers
// above (bf16_is_fast, instruction_set); this header has the rest, for this folder and its tests.

#include <string>
#include <vector>

namespace spanforge::ops {

// Applies SPANFORGE_MAX_ISA to oneDNN and Highway. Later calls are cheap.
void apply_isa_limit();

// True if the CPU has the instructions and SPANFORGE_MAX_ISA allows them.
enum class Instructions { kAvx512Vnni, kAvx512Bf16, kAmx };
bool may_use(Instructions instructions);

// Names of the compiled kernel targets that this CPU can run, best first: "AVX3", "AVX2", "SSE2".
std::vector<std::string> kernel_targets();
// Makes kernels run on that target only (for tests); "" permits all again.
void use_kernel_target(const std::string& name);

}  // namespace spanforge::ops
