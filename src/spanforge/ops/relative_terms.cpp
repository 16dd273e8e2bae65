#include "spanforge/ops/relative_terms.h"

namespace spanforge::ops {

void add_by_rows(const float* by_distance, int64_t centre, int64_t width, int64_t n, int64_t reach,
                 const int32_t* rows, float scale, float* table, int64_t stride) {
  for (int64_t x = -reach; x <= reach; ++x) {
    const float* const from = by_distance + (centre + x) * width;
    float* const to = table + rows[-x] * stride;
    for (int64_t c = 0; c < n; ++c) to[c] += scale * from[c];
  }
}

}  // namespace spanforge::ops
