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

// Checks that the tables agree in size and have every row that a distance may use.
void check_relative(const char* op, const Tensor& qkv, const AttentionShape& shape,
                    const Tensor& out) {
  const RelativeTerms& r = shape.relative;
  if (!r.any()) {
    require(op, r.keys.empty() && r.queries.empty() && r.biases.empty(),
            "relative terms have rows for distances");
    return;
  }
  require(op, r.rows.size() % 2 == 1, "relative.rows has a middle");
  require(op, static_cast<int64_t>(r.rows.size()) >= 2 * longest_window(shape.cu_seqlens) - 1,
          "relative.rows covers the longest window");
  const int64_t tables = !r.keys.empty()      ? r.keys.rows
                         : !r.queries.empty() ? r.queries.rows
                                              : r.biases.cols;
  if (!r.keys.empty()) {
    require_matrix(op, "relative.keys", r.keys, tables, out.cols, qkv.dtype);
  }
  if (!r.queries.empty()) {
    require_matrix(op, "relative.queries", r.queries, tables, out.cols, qkv.dtype);
  }
  if (!r.biases.empty()) {
    require_matrix(op, "relative.biases", r.biases, shape.heads, tables, DType::kF32);
  }
  const auto [least, most] = std::minmax_element(r.rows.begin(), r.rows.end());
  require(op, *least >= 0 && *most < tables, "relative.rows are rows of the tables");
}

void check_relative_gradients(const char* op, const RelativeTerms& terms,
                              const RelativeGradients& gradients) {
  const auto check_one = [&](const char* name, const Tensor& gradient, const Tensor& table) {
    if (gradient.empty()) return;
    require(op, !table.empty(), "a gradient is wanted of a term that there is");
    require_matrix(op, name, gradient, table.rows, table.cols, DType::kF32);
  };
  check_one("drelative.keys", gradients.keys, terms.keys);
  check_one("drelative.queries", gradients.queries, terms.queries);
  check_one("drelative.biases", gradients.biases, terms.biases);
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
  require(op, shape.reach >= -1, "reach is -1 or more");
  check_relative(op, qkv, shape, out);
  require_dropout(op, dropout, qkv.rows);
}

int64_t reach_of(const AttentionShape& shape, int64_t length) {
  const int64_t all = std::max<int64_t>(0, length - 1);
  return shape.reach < 0 ? all : std::min<int64_t>(all, shape.reach);
}

template <class T>
RelativeHead<T> relative_of(const RelativeTerms& terms, int64_t head, int64_t size) {
  RelativeHead<T> r;
  if (!terms.any()) return r;
  r.rows = terms.rows.data() + terms.rows.size() / 2;
  if (!terms.keys.empty()) r.keys = terms.keys.as<T>() + head * size;
  if (!terms.queries.empty()) r.queries = terms.queries.as<T>() + head * size;
  r.keys_stride = terms.keys.stride;
  r.queries_stride = terms.queries.stride;
  if (!terms.biases.empty()) r.biases = terms.biases.row<float>(head);
  return r;
}

RelativeHeadGradients relative_gradients_of(const RelativeGradients& gradients, int64_t head,
                                            int64_t size) {
  RelativeHeadGradients g;
  if (!gradients.keys.empty()) g.keys = gradients.keys.as<float>() + head * size;
  if (!gradients.queries.empty()) g.queries = gradients.queries.as<float>() + head * size;
  g.keys_stride = gradients.keys.stride;
  g.queries_stride = gradients.queries.stride;
  if (!gradients.biases.empty()) g.biases = gradients.biases.row<float>(head);
  return g;
}

// Sets the pointers for one window and head.
template <class T>
AttentionHead<T> head_of(const Tensor& qkv, const AttentionShape& shape, const Dropout& dropout,
                         const Tensor& out, const Tensor& lse, size_t window, int64_t head) {
  const int64_t begin = shape.cu_seqlens[window];
  AttentionHead<T> h{};
  h.length = shape.cu_seqlens[window + 1] - begin;
  h.size = out.cols / shape.heads;
  h.reach = reach_of(shape, h.length);
  h.q = qkv.row<T>(begin) + head * h.size;
  h.k = h.q + out.cols;
  h.v = h.k + out.cols;
  h.qkv_stride = qkv.stride;
  h.scale = shape.scale;
  h.relative = relative_of<T>(shape.relative, head, h.size);
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

// Calls body(window, head) for every pair with tokens. windows_in_order: one thread takes the
// windows of a head in order, so that they may add to what belongs to the head.
template <class Body>
void for_heads(const AttentionShape& shape, bool windows_in_order, const Body& body) {
  const int64_t windows = static_cast<int64_t>(shape.cu_seqlens.size()) - 1;
  const int64_t longest = longest_window(shape.cu_seqlens);
  const auto run = [&](int64_t i) {
    const auto window = static_cast<size_t>(i / shape.heads);
    if (shape.cu_seqlens[window] == shape.cu_seqlens[window + 1]) return;
    body(window, i % shape.heads);
  };
  if (windows_in_order) {
    parallel_dynamic(shape.heads, 16 * longest * longest * windows, [&](int64_t head) {
      for (int64_t w = 0; w < windows; ++w) run(w * shape.heads + head);
    });
  } else {
    parallel_dynamic(windows * shape.heads, 16 * longest * longest, run);
  }
}

bool takes_gemm(const AttentionHead<bf16>& head) {
  return head.length >= kShortestBf16Window && bf16_is_fast();
}

template <class T>
void forward(const Tensor& qkv, const AttentionShape& shape, const Dropout& dropout,
             const Tensor& out, const Tensor& lse) {
  const int64_t longest = longest_window(shape.cu_seqlens);
  const int64_t floats =
      attention_scratch(longest, out.cols / shape.heads, reach_of(shape, longest));
  for_heads(shape, /*windows_in_order=*/false, [&](size_t window, int64_t head) {
    const AttentionHead<T> h = head_of<T>(qkv, shape, dropout, out, lse, window, head);
    if constexpr (std::is_same_v<T, bf16>) {
      if (takes_gemm(h)) return attention_bf16(h);
    }
    attention_kernel(h, scratch<float>(Scratch::kWorker, floats));
  });
}

template <class T>
void backward(const Tensor& dout, const Tensor& qkv, const Tensor& out, const Tensor& lse,
              const AttentionShape& shape, const Dropout& dropout, const Tensor& dqkv,
              const RelativeGradients& drelative) {
  const int64_t longest = longest_window(shape.cu_seqlens);
  const int64_t floats =
      attention_backward_scratch(longest, out.cols / shape.heads, reach_of(shape, longest));
  const bool shared =
      !drelative.keys.empty() || !drelative.queries.empty() || !drelative.biases.empty();
  for_heads(shape, /*windows_in_order=*/shared, [&](size_t window, int64_t head) {
    const AttentionHead<T> h = head_of<T>(qkv, shape, dropout, out, lse, window, head);
    AttentionHeadGradients<T> g{};
    const int64_t begin = shape.cu_seqlens[window];
    g.dout = dout.row<T>(begin) + head * h.size;
    g.dout_stride = dout.stride;
    g.dq = dqkv.row<T>(begin) + head * h.size;
    g.dk = g.dq + out.cols;
    g.dv = g.dk + out.cols;
    g.dqkv_stride = dqkv.stride;
    g.relative = relative_gradients_of(drelative, head, h.size);
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
                        const RelativeGradients& drelative) {
  constexpr const char* kOp = "attention_backward";
  check(kOp, qkv, shape, dropout, out, lse);
  require_matrix(kOp, "dout", dout, qkv.rows, out.cols, qkv.dtype);
  require_matrix(kOp, "dqkv", dqkv, qkv.rows, qkv.cols, qkv.dtype);
  check_relative_gradients(kOp, shape.relative, drelative);
  if (qkv.empty()) return;
  if (qkv.dtype == DType::kF32) {
    backward<float>(dout, qkv, out, lse, shape, dropout, dqkv, drelative);
  } else {
    backward<bf16>(dout, qkv, out, lse, shape, dropout, dqkv, drelative);
  }
}

}  // namespace spanforge::ops
