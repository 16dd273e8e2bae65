#include "spanforge/ops/embedding.h"

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
using spanforge::testing::rounded;
using spanforge::testing::with_threads;

TEST(Embedding, EqualsReferenceForwardAndBackward) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t n : awkward_lengths()) {
        SCOPED_TRACE(std::string(dtype_name(dtype)) + " n " + std::to_string(n));
        CounterStream stream(seed + static_cast<uint64_t>(n));
        constexpr int64_t kTokens = 20;
        const Matrix words = rounded(random_matrix(stream, 7, n), DType::kF32);
        const Matrix types = rounded(random_matrix(stream, 2, n), DType::kF32);
        std::vector<int32_t> word_ids, type_ids;
        for (int64_t t = 0; t < kTokens; ++t) {
          word_ids.push_back(static_cast<int32_t>(stream.next_below(7)));
          type_ids.push_back(static_cast<int32_t>(stream.next_below(2)));
        }
        const Buffer wb(DType::kF32, words, 3), tb(DType::kF32, types), y(dtype, kTokens, n, 1, 1);
        const EmbeddingTable tables[] = {{wb, word_ids}, {tb, type_ids}};
        embedding_sum(tables, y);
        Matrix wanted(kTokens, n);
        const Matrix dy = rounded(random_matrix(stream, kTokens, n), dtype);
        Matrix dwords = rounded(random_matrix(stream, 7, n), DType::kF32);
        const Buffer dwb(DType::kF32, dwords, 2, 1), dyb(dtype, dy, 4);
        for (int64_t t = 0; t < kTokens; ++t) {
          for (int64_t j = 0; j < n; ++j) {
            const auto at = static_cast<size_t>(t);
            wanted(t, j) = words(word_ids[at], j) + types(type_ids[at], j);
            dwords(word_ids[at], j) += dy(t, j);
          }
        }
        const double tolerance = dtype == DType::kBF16 ? 0x1p-8 : 1e-6;
        expect_near(y.matrix(), wanted, tolerance * 0.1, tolerance, "y");
        embedding_backward(dyb, word_ids, dwb);
        expect_near(dwb.matrix(), dwords, 1e-5, 1e-5, "dtable");
        y.check_padding();
        dwb.check_padding();
        if (HasFatalFailure()) return;
      }
    }
  });
}

TEST(Embedding, GivesTheSameBitsOnAnyThreadCount) {
  CounterStream stream(2);
  const Buffer dy(DType::kF32, random_matrix(stream, 300, 700));
  std::vector<int32_t> ids;
  for (int t = 0; t < 300; ++t) ids.push_back(static_cast<int32_t>(stream.next_below(3)));
  const Buffer one(DType::kF32, Matrix(3, 700)), five(DType::kF32, Matrix(3, 700));
  with_threads(1, [&] { embedding_backward(dy, ids, one); });
  with_threads(5, [&] { embedding_backward(dy, ids, five); });
  expect_same(one, five, "dtable");
}

TEST(Embedding, RefusesIdsOutsideTheTable) {
  const Buffer table(DType::kF32, Matrix(4, 8)), y(DType::kF32, 2, 8);
  for (const int32_t bad : {-1, 4}) {
    const std::vector<int32_t> ids = {0, bad};
    const EmbeddingTable tables[] = {{table, ids}};
    const Error error =
        testing::expect_error(ErrorCode::kInternal, [&] { embedding_sum(tables, y); });
    EXPECT_NE(error.reason().find(std::to_string(bad)), std::string::npos) << error.reason();
    testing::expect_error(ErrorCode::kInternal, [&] { embedding_backward(y, ids, table); });
  }
}

}  // namespace
}  // namespace spanforge::ops
