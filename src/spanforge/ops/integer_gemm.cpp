#include "spanforge/ops/integer_gemm.h"

#include <dnnl.hpp>
#include <unordered_map>

#include "spanforge/ops/check.h"
#include "spanforge/ops/instruction_sets.h"

namespace spanforge::ops {

using dnnl::memory;

bool integer_gemm_is_fast() {
  apply_isa_limit();
  constexpr int kNeeded = static_cast<int>(dnnl::cpu_isa::avx512_core_vnni);
  static const bool fast = (static_cast<int>(dnnl::get_effective_cpu_isa()) & kNeeded) == kNeeded;
  return fast;
}

void integer_gemm(const Tensor& a, const Tensor& b, const Tensor& c) {
  require_matrix("integer_gemm", "a", a, a.rows, a.cols, DType::kU8);
  require_matrix("integer_gemm", "b", b, b.rows, a.cols, DType::kS8);
  require_matrix("integer_gemm", "c", c, a.rows, b.rows, DType::kI32);
  require("integer_gemm", integer_gemm_is_fast(), "this CPU would saturate");
  try {
    static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    thread_local dnnl::stream stream(engine);
    const memory::desc left({a.rows, a.cols}, memory::data_type::u8, memory::dims{a.cols, 1});
    const memory::desc right({a.cols, b.rows}, memory::data_type::s8, memory::dims{1, a.cols});
    const memory::desc sums({a.rows, b.rows}, memory::data_type::s32, memory::dims{b.rows, 1});
    // oneDNN itself keeps the primitives of the shapes last used.
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc description(engine, left, right, sums);
#else
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(left, right, sums), engine);
#endif
    dnnl::matmul(description)
        .execute(stream, {{DNNL_ARG_SRC, memory(left, engine, a.data)},
                          {DNNL_ARG_WEIGHTS, memory(right, engine, b.data)},
                          {DNNL_ARG_DST, memory(sums, engine, c.data)}});
    stream.wait();
  } catch (const dnnl::error& error) {
    fail("integer_gemm", std::string("oneDNN: ") + error.what());
  }
}

}  // namespace spanforge::ops
