#include "spanforge/ops/sgd.h"

#include <algorithm>

#include "ops/reference.h"

namespace spanforge::ops {
namespace {

using spanforge::testing::awkward_lengths;
using spanforge::testing::Buffer;
using spanforge::testing::expect_near;
using spanforge::testing::expect_same;
using spanforge::testing::for_each_target;
using spanforge::testing::Matrix;
using spanforge::testing::random_matrix;
using spanforge::testing::with_threads;

TEST(Sgd, FollowsTheDefinitionOverManySteps) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for_each_target([&](const std::string&) {
    for (const int64_t n : awkward_lengths()) {
      for (const double decay : {0.0, 0.1}) {
        SCOPED_TRACE("n " + std::to_string(n));
        CounterStream stream(seed);
        Matrix p = random_matrix(stream, 1, n);
        const Buffer pb(DType::kF32, p, 0, 1), shadow(DType::kBF16, 1, n, 0, 1);
        const SgdConstants c{.lr = 1e-2, .weight_decay = decay, .gradient_scale = 0.5f};
        for (int step = 0; step < 5; ++step) {
          const Matrix g = testing::rounded(random_matrix(stream, 1, n), DType::kF32);
          const Buffer gb(DType::kF32, g, 0, 3);
          sgd(pb, gb, shadow, c);
          for (int64_t i = 0; i < n; ++i) p(0, i) -= c.lr * (g(0, i) * 0.5 + decay * p(0, i));
        }
        expect_near(pb.matrix(), p, 1e-6, 1e-6, "p");
        expect_same(Buffer(DType::kBF16, pb.matrix()), shadow, "shadow");
        pb.check_padding();
        shadow.check_padding();
      }
    }
  });
}

TEST(SgdRows, ChangesTheNamedRowsAsTheWholeWould) {
  CounterStream stream(testing::test_seed());
  const Matrix p = random_matrix(stream, 300, 70), g = random_matrix(stream, 300, 70);
  const SgdConstants c{.lr = 0.1, .weight_decay = 0.5, .gradient_scale = 0.7f};
  const Buffer whole(DType::kF32, p), some(DType::kF32, p), gradient(DType::kF32, g);
  with_threads(1, [&] {
    sgd(make_tensor(whole.tensor().as<float>(), 1, 300 * 70),
        make_tensor(gradient.tensor().as<float>(), 1, 300 * 70), Tensor{}, c);
  });
  const std::vector<int32_t> rows = {299, 0, 7, 150};
  with_threads(3, [&] { sgd_rows(some, gradient, rows, c); });
  const Buffer before(DType::kF32, p);
  for (int32_t r = 0; r < 300; ++r) {
    const bool named = std::find(rows.begin(), rows.end(), r) != rows.end();
    expect_same(some.tensor().row_range(r, 1), (named ? whole : before).tensor().row_range(r, 1),
                "row " + std::to_string(r));
  }
}

}  // namespace
}  // namespace spanforge::ops
