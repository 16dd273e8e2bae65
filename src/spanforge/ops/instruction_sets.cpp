#include "spanforge/ops/instruction_sets.h"

#include <array>
#include <cstdlib>
#include <string_view>

#include <dnnl.hpp>

#include "spanforge/base/error.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/ops/simd_targets.h"

namespace spanforge::ops {
namespace {

struct IsaLimit {
  std::string_view name;
  dnnl::cpu_isa gemm;
  int64_t kernels_above;  // Highway targets that the limit forbids
};

constexpr int64_t kAvx512Targets = HWY_AVX3 | HWY_AVX3_DL;
constexpr std::array<IsaLimit, 4> kLimits = {{
    {"avx2", dnnl::cpu_isa::avx2, kAvx512Targets},
    {"avx512", dnnl::cpu_isa::avx512_core_vnni, 0},
    {"avx512_bf16", dnnl::cpu_isa::avx512_core_bf16, 0},
    {"amx", dnnl::cpu_isa::avx512_core_amx, 0},
}};

bool apply() {
  if ((hwy::SupportedTargets() & HWY_TARGETS) == 0) {
    throw Error(ErrorCode::kInternal, {.where = "this CPU"},
                "lacks SSE4, the least that the kernels need");
  }
  const char* wanted = std::getenv("SPANFORGE_MAX_ISA");
  if (wanted == nullptr || *wanted == '\0') return true;
  for (const IsaLimit& limit : kLimits) {
    if (limit.name != wanted) continue;
    if (dnnl::set_max_cpu_isa(limit.gemm) != dnnl::status::success) {
      throw Error(ErrorCode::kInternal, {.where = "SPANFORGE_MAX_ISA"},
                  "oneDNN was used before the limit could be set");
    }
    hwy::DisableTargets(limit.kernels_above);
    return true;
  }
  throw Error(ErrorCode::kUsage, {.where = "SPANFORGE_MAX_ISA"},
              std::string(wanted) + " is not one of avx2, avx512, avx512_bf16, amx");
}

bool has_isa(dnnl::cpu_isa isa) {
  apply_isa_limit();
  static const int has = static_cast<int>(dnnl::get_effective_cpu_isa());
  const int wanted = static_cast<int>(isa);
  return (has & wanted) == wanted;
}

}  // namespace

void apply_isa_limit() {
  static const bool applied = apply();
  static_cast<void>(applied);
}

bool may_use(Instructions instructions) {
  switch (instructions) {
    case Instructions::kAvx512Vnni: return has_isa(dnnl::cpu_isa::avx512_core_vnni);
    case Instructions::kAvx512Bf16: return has_isa(dnnl::cpu_isa::avx512_core_bf16);
    case Instructions::kAmx: return has_isa(dnnl::cpu_isa::avx512_core_amx);
  }
  return false;
}

bool bf16_is_fast() { return may_use(Instructions::kAvx512Bf16); }

const char* instruction_set() {
  struct Row {
    dnnl::cpu_isa isa;
    const char* name;
  };
  constexpr Row kRows[] = {{dnnl::cpu_isa::avx512_core_amx, "avx512_core_amx"},
                           {dnnl::cpu_isa::avx512_core_bf16, "avx512_core_bf16"},
                           {dnnl::cpu_isa::avx512_core_vnni, "avx512_core_vnni"},
                           {dnnl::cpu_isa::avx512_core, "avx512_core"},
                           {dnnl::cpu_isa::avx2, "avx2"},
                           {dnnl::cpu_isa::avx, "avx"},
                           {dnnl::cpu_isa::sse41, "sse41"}};
  for (const Row& row : kRows) {
    if (has_isa(row.isa)) return row.name;
  }
  return "generic";
}

std::vector<std::string> kernel_targets() {
  apply_isa_limit();
  std::vector<std::string> names;
  for (int64_t targets = hwy::SupportedTargets() & HWY_TARGETS; targets != 0;
       targets &= targets - 1) {
    names.emplace_back(hwy::TargetName(targets & -targets));
  }
  return names;
}

void use_kernel_target(const std::string& name) {
  apply_isa_limit();
  hwy::SetSupportedTargetsForTest(0);
  int64_t chosen = 0;
  for (int64_t targets = hwy::SupportedTargets() & HWY_TARGETS; targets != 0;
       targets &= targets - 1) {
    if (name == hwy::TargetName(targets & -targets)) chosen = targets & -targets;
  }
  if (!name.empty() && chosen == 0) {
    throw Error(ErrorCode::kInternal, {.where = "kernel target"},
                name + " is not one this CPU can run");
  }
  hwy::SetSupportedTargetsForTest(chosen);
  hwy::GetChosenTarget().DeInit();
}

}  // namespace spanforge::ops
