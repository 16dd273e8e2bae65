#pragma once
// How columns of a row map to Philox words. Each group of 64 columns uses 16 consecutive blocks:
// column c uses word (c mod 64) / 16 of block 16 * (c / 64) + c mod 16. So a vector of up to 16
// blocks gives four vectors of adjacent columns without any shuffling.
// Counter = {block, 0, low and high half of the row key}; key = the two halves of Dropout::key.

#include <cstdint>

#include "spanforge/ops/dropout.h"

namespace spanforge::ops {

struct DropoutSlot {
  uint32_t block;
  uint32_t word;
};
constexpr DropoutSlot dropout_slot(uint32_t column) {
  return {16 * (column / 64) + column % 16, column % 64 / 16};
}

uint32_t dropout_word(uint64_t key, uint64_t row_key, uint32_t column);

// An element is dropped if its word is below this: p in units of 2^-32, rounded.
constexpr uint32_t dropout_threshold(float p) {
  const double scaled = static_cast<double>(p) * 4294967296.0 + 0.5;
  return scaled >= 4294967295.0 ? 0xFFFFFFFFu : static_cast<uint32_t>(scaled);
}

// What a kernel needs of a Dropout for one row.
struct DropoutRow {
  uint32_t threshold = 0;  // 0: nothing is dropped
  float scale = 1.0f;      // 1 / (1 - p), of kept elements
  uint64_t key = 0;
  uint64_t row_key = 0;
  bool active() const { return threshold != 0; }
};
inline DropoutRow dropout_row(const Dropout& dropout, int64_t row) {
  if (!dropout.active()) return {};
  return {dropout_threshold(dropout.p), 1.0f / (1.0f - dropout.p), dropout.key,
          dropout.row_keys[static_cast<size_t>(row)]};
}
// Error{kInternal} unless 0 <= p < 1 and, if active, there is a key per row.
void require_dropout(const char* op, const Dropout& dropout, int64_t rows);

// Attention's column for a key position under a head.
constexpr uint32_t attention_column(int32_t head, int64_t key_position) {
  return (static_cast<uint32_t>(head) << 16) + static_cast<uint32_t>(key_position);
}

}  // namespace spanforge::ops
