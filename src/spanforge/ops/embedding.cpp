#include "spanforge/ops/embedding.h"

#include <algorithm>
#include <string>
#include <vector>

#include "spanforge/ops/check.h"
#include "spanforge/ops/runtime.h"
#include "spanforge/ops/vector_kernel.h"

namespace spanforge::ops {
namespace {

constexpr int64_t kColumnsAdded = 128;  // columns of a gradient that one thread adds at a time

void check_ids(const char* op, std::span<const int32_t> ids, int64_t tokens, int64_t rows) {
  require(op, static_cast<int64_t>(ids.size()) == tokens, "ids and rows differ in number");
  for (size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] >= 0 && ids[t] < rows) continue;
    fail(op, "id " + std::to_string(ids[t]) + " of token " + std::to_string(t) +
                 " is not below the table's " + std::to_string(rows) + " rows");
  }
}

template <class T>
void sum_tables(std::span<const EmbeddingTable> tables, const Tensor& y) {
  constexpr size_t kMostTables = 8;
  require("embedding_sum", !tables.empty() && tables.size() <= kMostTables,
          "takes one to eight tables");
  parallel_rows(y.rows, 16, y.cols, [&](int64_t begin, int64_t end) {
    const float* rows[kMostTables];
    for (int64_t t = begin; t < end; ++t) {
      for (size_t i = 0; i < tables.size(); ++i) {
        rows[i] = static_cast<const float*>(tables[i].table.data) +
                  tables[i].ids[static_cast<size_t>(t)] * tables[i].table.stride;
      }
      sum_rows_kernel(rows, static_cast<int64_t>(tables.size()), y.cols, y.row<T>(t));
    }
  });
}

template <class T>
void scatter(const Tensor& dy, std::span<const int32_t> ids, const Tensor& dtable) {
  parallel_rows(dy.cols, kColumnsAdded, dy.rows, [&](int64_t begin, int64_t end) {
    for (int64_t t = 0; t < dy.rows; ++t) {
      column_sums_kernel(dy.row<T>(t) + begin, 0, 1, end - begin,
                         dtable.row<float>(ids[static_cast<size_t>(t)]) + begin);
    }
  });
}

}  // namespace

void embedding_sum(std::span<const EmbeddingTable> tables, const Tensor& y) {
  require_float("embedding_sum", "y", y);
  for (const EmbeddingTable& table : tables) {
    require_matrix("embedding_sum", "table", table.table, table.table.rows, y.cols, DType::kF32);
    check_ids("embedding_sum", table.ids, y.rows, table.table.rows);
  }
  if (y.dtype == DType::kF32) {
    sum_tables<float>(tables, y);
  } else {
    sum_tables<bf16>(tables, y);
  }
}

void embedding_backward(const Tensor& dy, std::span<const int32_t> ids, const Tensor& dtable) {
  require_float("embedding_backward", "dy", dy);
  require_matrix("embedding_backward", "dtable", dtable, dtable.rows, dy.cols, DType::kF32);
  check_ids("embedding_backward", ids, dy.rows, dtable.rows);
  if (dy.dtype == DType::kF32) {
    scatter<float>(dy, ids, dtable);
  } else {
    scatter<bf16>(dy, ids, dtable);
  }
}

}  // namespace spanforge::ops
