#include "spanforge/ops/attention.h"

#include <algorithm>
#include <string>
#include <type_traits>

#include "spanforge/ops/attention_bf16.h"
#include "spanforge/ops/attention_kernel.h"
#include "spanforge/ops/check.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/ops/runtime.h"

namespace spanforge::ops {
namespace {

int64_t longest_window(std::span<const int32_t> cu_seqlens) {
  int64_t longest = 0;
  for (size_t w = 1; w < cu_seqlens.size(); ++w) {
    longest = std::max<int64_t>(longest, cu_seqlens[w] - cu_seqlens[w - 1]);
  }
  return longest;
}

void check(const char* op, const Tensor& qkv, const AttentionShape& shape, const Dropout& dropout,
           const Tensor& out, const Tensor& lse) {
  require_float(op, "qkv", qkv);
  const std::span<const int32_t> lengths = shape.cu_seqlens;
  require(op, !lengths.empty() && lengths.front() == 0, "cu_seqlens starts at 0");
  require(op, std::is_sorted(lengths.begin(), lengths.end()), "cu_seqlens ascends");
  require(op, lengths.back() == qkv.rows, "cu_seqlens ends at the number of tokens");
  require(op, longest_window(lengths) <= 65536, "a window has at most 65536 tokens");
  require(op, shape.scale > 0.0f, "scale is positive");
  require(op, shape.heads >= 1 && shape.heads <= 65536, "heads is not in [1, 65536]");
  if (qkv.cols % (3 * int64_t{shape.heads}) != 0) {
    fail(op, "qkv " + describe(qkv) + " does not split into 3 x " + std::to_string(shape.heads) +
                 " heads");
  }
  require_matrix(op, "qkv", qkv, qkv.rows, qkv.cols, qkv.dtype);
  require_matrix(op, "out", out, qkv.rows, qkv.cols / 3, qkv.dtype);
  require_matrix(op, "lse", lse, shape.heads, qkv.rows, DType::kF32);
  require_dropout(op, dropout, qkv.rows);
}

// The pointers of one window and head.
template <class T>
AttentionHead<T> head_of(const Tensor& qkv, const AttentionShape& shape, const Dropout& dropout,
                         const Tensor& out, const Tensor& lse, size_t window, int64_t head) {
  const int64_t begin = shape.cu_seqlens[window];
  AttentionHead<T> h{};
  h.length = shape.cu_seqlens[window + 1] - begin;
  h.size = out.cols / shape.heads;
  h.q = qkv.row<T>(begin) + head * h.size;
  h.k = h.q + out.cols;
  h.v = h.k + out.cols;
  h.qkv_stride = qkv.stride;
  h.scale = shape.scale;
  if (dropout.active()) {
    h.row_keys = dropout.row_keys.data() + begin;
    h.dropout_key = dropout.key;
    h.dropout_threshold = dropout_threshold(dropout.p);
    h.dropout_scale = 1.0f / (1.0f - dropout.p);
    h.first_column = attention_column(static_cast<int32_t>(head), 0);
  }
  h.out = out.row<T>(begin) + head * h.size;
  h.out_stride = out.stride;
  h.lse = lse.row<float>(head) + begin;
  return h;
}

// Calls body(window, head) for every pair with tokens.
template <class Body>
void for_heads(const AttentionShape& shape, const Body& body) {
  const int64_t windows = static_cast<int64_t>(shape.cu_seqlens.size()) - 1;
  const int64_t longest = longest_window(shape.cu_seqlens);
  parallel_dynamic(windows * shape.heads, 16 * longest * longest, [&](int64_t i) {
    const auto window = static_cast<size_t>(i / shape.heads);
    if (shape.cu_seqlens[window] == shape.cu_seqlens[window + 1]) return;
    body(window, i % shape.heads);
  });
}

bool takes_gemm(const AttentionHead<bf16>& head) {
  return head.length >= kShortestBf16Window && bf16_is_fast();
}

template <class T>
void forward(const Tensor& qkv, const AttentionShape& shape, const Dropout& dropout,
             const Tensor& out, const Tensor& lse) {
  const int64_t floats =
      attention_scratch(longest_window(shape.cu_seqlens), out.cols / shape.heads);
  for_heads(shape, [&](size_t window, int64_t head) {
    const AttentionHead<T> h = head_of<T>(qkv, shape, dropout, out, lse, window, head);
    if constexpr (std::is_same_v<T, bf16>) {
      if (takes_gemm(h)) return attention_bf16(h);
    }
    attention_kernel(h, scratch<float>(Scratch::kWorker, floats));
  });
}

template <class T>
void backward(const Tensor& dout, const Tensor& qkv, const Tensor& out, const Tensor& lse,
              const AttentionShape& shape, const Dropout& dropout, const Tensor& dqkv) {
  const int64_t floats =
      attention_backward_scratch(longest_window(shape.cu_seqlens), out.cols / shape.heads);
  for_heads(shape, [&](size_t window, int64_t head) {
    const AttentionHead<T> h = head_of<T>(qkv, shape, dropout, out, lse, window, head);
    AttentionHeadGradients<T> g{};
    const int64_t begin = shape.cu_seqlens[window];
    g.dout = dout.row<T>(begin) + head * h.size;
    g.dout_stride = dout.stride;
    g.dq = dqkv.row<T>(begin) + head * h.size;
    g.dk = g.dq + out.cols;
    g.dv = g.dk + out.cols;
    g.dqkv_stride = dqkv.stride;
    if constexpr (std::is_same_v<T, bf16>) {
      if (takes_gemm(h)) return attention_backward_bf16(h, g);
    }
    attention_backward_kernel(h, g, scratch<float>(Scratch::kWorker, floats));
  });
}

}  // namespace

void attention(const Tensor& qkv, const AttentionShape& shape, const Dropout& dropout,
               const Tensor& out, const Tensor& lse) {
  check("attention", qkv, shape, dropout, out, lse);
  if (qkv.empty()) return;
  if (qkv.dtype == DType::kF32) {
    forward<float>(qkv, shape, dropout, out, lse);
  } else {
    forward<bf16>(qkv, shape, dropout, out, lse);
  }
}

void attention_backward(const Tensor& dout, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                        const AttentionShape& shape, const Dropout& dropout, const Tensor& dqkv,
                        const RelativeGradients&) {
  constexpr const char* kOp = "attention_backward";
  check(kOp, qkv, shape, dropout, out, lse);
  require_matrix(kOp, "dout", dout, qkv.rows, out.cols, qkv.dtype);
  require_matrix(kOp, "dqkv", dqkv, qkv.rows, qkv.cols, qkv.dtype);
  if (qkv.empty()) return;
  if (qkv.dtype == DType::kF32) {
    backward<float>(dout, qkv, out, lse, shape, dropout, dqkv);
  } else {
    backward<bf16>(dout, qkv, out, lse, shape, dropout, dqkv);
  }
}

}  // namespace spanforge::ops
