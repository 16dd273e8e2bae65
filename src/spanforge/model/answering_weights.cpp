#include "spanforge/model/answering_weights.h"

#include <cstring>

#include "spanforge/model/relative.h"
#include "spanforge/ops/linear.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

// Types may differ; y's rows may be a part of wider rows.
void copy(const Tensor& x, const Tensor& y) {
  for (int64_t r = 0; r < x.rows; ++r) {
    if (x.dtype != y.dtype) {
      ops::convert(x.row_range(r, 1), y.row_range(r, 1));
    } else {
      const auto bytes = static_cast<size_t>(x.cols) * dtype_size(x.dtype);
      std::memcpy(y.row_range(r, 1).data, x.row_range(r, 1).data, bytes);
    }
  }
}

}  // namespace

void AnsweringWeights::project_distances(const EncoderShape& shape, DType dtype) {
  if (shape.relative.kind != RelativeKind::kProjected) return;
  for (BlockPart<Tensor, ops::PackedLinear>& block : parts.blocks) {
    block.projected_distances = allocate_distances(projected_, shape, dtype);
  }
  ActivationArena scratch;
  const bool projects_itself = shape.relative.projects_itself;
  const DType form =
      projects_itself ? DType::kF32 : dtype;  // the table's own projections are not packed
  const RelativeActivations a = allocate_relative(scratch, shape, form, /*projects=*/true);
  relative_forward(scratch, shape, parts.relative, a);
  const int64_t hidden = shape.hidden;
  const Tensor y = scratch.allocate(form, a.rows.rows, 3 * hidden);
  for (size_t i = 0; i < parts.blocks.size(); ++i) {
    BlockPart<Tensor, ops::PackedLinear>& block = parts.blocks[i];
    if (!projects_itself) project_rows(i, a.rows, y);  // [R,3H]
    for (size_t term = 0; term < kDistanceTerms; ++term) {
      const Tensor& out = block.projected_distances[term];
      if (out.empty()) continue;
      const bool is_keys = term == static_cast<size_t>(DistanceTerm::kKeys);
      const Tensor part = y.columns(is_keys ? hidden : 0, hidden);
      if (projects_itself)
        ops::linear(a.rows, block.distances[term].weight, block.distances[term].bias, part);
      copy(part, out);  // [R,H]
    }
  }
}

}  // namespace spanforge
