// Attention whose scores depend on distances: the reach, and the terms of RelativeTerms.

#include <algorithm>
#include <cmath>
#include <memory>

#include "ops/attention_reference.h"
#include "ops/reference.h"
#include "spanforge/ops/attention.h"

namespace spanforge::ops {
namespace {

using spanforge::testing::attention_reference;
using spanforge::testing::AttentionResults;
using spanforge::testing::Buffer;
using spanforge::testing::expect_near;
using spanforge::testing::expect_same;
using spanforge::testing::for_each_target;
using spanforge::testing::make_attention_problem;
using spanforge::testing::Matrix;
using spanforge::testing::random_matrix;
using spanforge::testing::rounded;
using spanforge::testing::with_threads;
using Problem = spanforge::testing::AttentionProblem;

enum Terms : unsigned { kNoTerms = 0, kKeys = 1, kQueries = 2, kBiases = 4, kAllTerms = 7 };

// Rows near the middle have one distance each, farther ones several, the farthest many; in no
// order.
std::vector<int32_t> rows_of_distances(int64_t longest, int32_t tables) {
  std::vector<int32_t> rows;
  for (int64_t d = 1 - longest; d < longest; ++d) {
    const int64_t near = std::min<int64_t>(std::abs(d), 4) + std::min<int64_t>(std::abs(d) / 7, 5);
    rows.push_back(static_cast<int32_t>((d < 0 ? 10 + near : near) * 7 % tables));
  }
  return rows;
}

Problem make_problem(const std::vector<int32_t>& lengths, int32_t heads, int64_t head_size, float p,
                     int32_t reach, unsigned terms, DType dtype, CounterStream& stream) {
  Problem problem = make_attention_problem(lengths, heads, head_size, p);
  problem.reach = reach;
  constexpr int32_t kTables = 23;
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  if (terms != kNoTerms) problem.rows = rows_of_distances(longest + 3, kTables);
  if ((terms & kKeys) != 0) {
    problem.keys = rounded(random_matrix(stream, kTables, problem.hidden()), dtype);
  }
  if ((terms & kQueries) != 0) {
    problem.queries = rounded(random_matrix(stream, kTables, problem.hidden()), dtype);
  }
  if ((terms & kBiases) != 0) {
    problem.biases = rounded(random_matrix(stream, heads, kTables), DType::kF32);
  }
  return problem;
}

// The tables and their gradients in memory, if the problem has any.
struct Tables {
  Buffer keys, queries, biases, dkeys, dqueries, dbiases;

  Tables(const Problem& p, DType dtype)
      : keys(dtype, p.keys, 3, 1),
        queries(dtype, p.queries, 1, 2),
        biases(DType::kF32, p.biases, 5, 1),
        dkeys(DType::kF32, filled(p.keys, 0.5), 1, 1),
        dqueries(DType::kF32, filled(p.queries, -0.25), 2),
        dbiases(DType::kF32, filled(p.biases, 2), 1, 1) {}

  static Matrix filled(const Matrix& like, double value) {
    Matrix m(like.rows, like.cols);
    std::fill(m.values.begin(), m.values.end(), value);
    return m;
  }
  AttentionShape shape(const Problem& p) const {
    AttentionShape shape = p.shape();
    shape.relative.rows = p.rows;
    if (p.keys.rows > 0) shape.relative.keys = keys;
    if (p.queries.rows > 0) shape.relative.queries = queries;
    if (p.biases.rows > 0) shape.relative.biases = biases;
    return shape;
  }
  RelativeGradients gradients(const Problem& p) const {
    RelativeGradients g;
    if (p.keys.rows > 0) g.keys = dkeys;
    if (p.queries.rows > 0) g.queries = dqueries;
    if (p.biases.rows > 0) g.biases = dbiases;
    return g;
  }
};

// Relative to the largest value, because gradients of tables are sums of many terms.
void expect_near_sums(const Matrix& got, const Matrix& wanted, double added, double tolerance,
                      const std::string& what) {
  double largest = 1;
  Matrix sums = wanted;
  for (double& value : sums.values) {
    largest = std::max(largest, std::abs(value));
    value += added;
  }
  expect_near(got, sums, tolerance * largest, tolerance, what);
}

void check_problem(const std::vector<int32_t>& lengths, int32_t heads, int64_t head_size, float p,
                   int32_t reach, unsigned terms, DType dtype, uint64_t seed) {
  CounterStream stream(seed);
  const Problem problem = make_problem(lengths, heads, head_size, p, reach, terms, dtype, stream);
  SCOPED_TRACE(std::string(dtype_name(dtype)) + ", " + problem.describe() + ", seed " +
               std::to_string(seed));
  const int64_t tokens = problem.tokens(), hidden = problem.hidden();
  const Matrix qkv = rounded(random_matrix(stream, tokens, 3 * hidden), dtype);
  const Matrix dout = rounded(random_matrix(stream, tokens, hidden), dtype);
  const AttentionResults wanted = attention_reference(problem, qkv, dout);
  int targets = 0;
  for_each_target([&](const std::string&) {
    ++targets;
    const Tables tables(problem, dtype);
    const AttentionShape shape = tables.shape(problem);
    const Buffer qkvb(dtype, qkv, 3, 1), out(dtype, tokens, hidden, 2, 1);
    const Buffer lse(DType::kF32, heads, tokens, 1);
    attention(qkvb, shape, problem.dropout(), out, lse);
    const bool narrow = dtype == DType::kBF16;
    const double tolerance = narrow ? 0x1p-6 : 1e-5;
    expect_near(out.matrix(), wanted.out, tolerance, tolerance, "out");
    expect_near(lse.matrix(), wanted.lse, 2e-5, narrow ? 1e-3 : 1e-5, "lse");
    out.check_padding();
    lse.check_padding();
    const Buffer doutb(dtype, dout, 1), dqkv(dtype, tokens, 3 * hidden, 5, 1);
    attention_backward(doutb, qkvb, out, lse, shape, problem.dropout(), dqkv,
                       tables.gradients(problem));
    const double loose = narrow ? 0x1p-4 : 4e-5;
    expect_near(dqkv.matrix(), wanted.dqkv, loose, loose, "dqkv");
    dqkv.check_padding();
    const double sums = narrow ? 0x1p-4 : 1e-5;  // also where bf16 misses zeros
    expect_near_sums(tables.dkeys.matrix(), wanted.dkeys, 0.5, sums, "dkeys");
    expect_near_sums(tables.dqueries.matrix(), wanted.dqueries, -0.25, sums, "dqueries");
    expect_near_sums(tables.dbiases.matrix(), wanted.dbiases, 2, sums, "dbiases");
    for (const Buffer* b : {&tables.dkeys, &tables.dqueries, &tables.dbiases}) b->check_padding();
  });
  EXPECT_GT(targets, 0);
}

TEST(AttentionByDistance, EqualsReferenceForEveryReachAndEveryTerm) {
  const uint64_t seed = testing::test_seed();
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const int32_t reach : {-1, 0, 1, 5, 400}) {
      for (unsigned terms = kNoTerms; terms <= kAllTerms; ++terms) {
        check_problem({1, 0, 2, 31, 33, 0}, 3, 8, 0.2f, reach, terms, dtype, seed + terms);
        check_problem({70}, 1, 20, 0, reach, terms, dtype, seed + terms);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(AttentionByDistance, EqualsReferenceForLongWindows) {
  const uint64_t seed = testing::test_seed();
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const auto& [reach, terms] :
         {std::pair<int32_t, unsigned>{-1, kAllTerms}, {64, kNoTerms}, {5, kAllTerms}}) {
      check_problem({130, 0, 300, 2}, 1, 20, 0.1f, reach, terms, dtype, seed);
      if (HasFatalFailure()) return;
    }
    check_problem({300}, 1, 16, 0.1f, 64, kKeys | kBiases, dtype, seed);
    check_problem({130}, 1, 64, 0.1f, -1, kQueries, dtype, seed);
    check_problem({130, 1}, 3, 64, 0, 31, kAllTerms, dtype, seed);
    check_problem({300}, 3, 8, 0, 0, kAllTerms, dtype, seed);
  }
}

// The bits of all results of a problem.
struct Outcome {
  Tables tables;
  Buffer out, lse, dqkv;
  Outcome(const Problem& p, DType dtype, const Buffer& qkv,
          const RelativeGradients* gradients = nullptr)
      : tables(p, dtype),
        out(dtype, p.tokens(), p.hidden()),
        lse(DType::kF32, p.heads, p.tokens()),
        dqkv(dtype, p.tokens(), 3 * p.hidden()) {
    const AttentionShape shape = tables.shape(p);
    attention(qkv, shape, p.dropout(), out, lse);
    attention_backward(out, qkv, out, lse, shape, p.dropout(), dqkv,
                       gradients == nullptr ? tables.gradients(p) : *gradients);
  }
};
void expect_same_outcomes(const Outcome& a, const Outcome& b) {
  EXPECT_FALSE(a.tables.dkeys.tensor().empty());
  expect_same(a.out, b.out, "out");
  expect_same(a.lse, b.lse, "lse");
  expect_same(a.dqkv, b.dqkv, "dqkv");
  expect_same(a.tables.dkeys, b.tables.dkeys, "dkeys");
  expect_same(a.tables.dqueries, b.tables.dqueries, "dqueries");
  expect_same(a.tables.dbiases, b.tables.dbiases, "dbiases");
}

TEST(AttentionByDistance, GivesTheSameBitsOnAnyThreadCount) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const int32_t reach : {-1, 9}) {
      CounterStream stream(5);
      const Problem p =
          make_problem({50, 7, 80, 33, 130}, 3, 16, 0.1f, reach, kAllTerms, dtype, stream);
      const Buffer qkv(dtype, random_matrix(stream, p.tokens(), 3 * p.hidden()));
      std::vector<std::unique_ptr<Outcome>> runs;
      for (const int threads : {1, 2, 5}) {
        with_threads(threads, [&] { runs.push_back(std::make_unique<Outcome>(p, dtype, qkv)); });
      }
      expect_same_outcomes(*runs[0], *runs[1]);
      expect_same_outcomes(*runs[0], *runs[2]);
    }
  }
}

TEST(AttentionByDistance, AReachBeyondTheWindowsIsNone) {
  for_each_target([](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      CounterStream stream(6);
      Problem p = make_problem({50, 130}, 2, 16, 0.1f, -1, kAllTerms, dtype, stream);
      const Buffer qkv(dtype, random_matrix(stream, p.tokens(), 3 * p.hidden()));
      const Outcome all(p, dtype, qkv);
      p.reach = 129;
      expect_same_outcomes(all, Outcome(p, dtype, qkv));
    }
  });
}

TEST(AttentionByDistance, GradientsThatAreNotWantedChangeNoOther) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    CounterStream stream(7);
    const Problem p = make_problem({50, 130}, 2, 16, 0.1f, -1, kAllTerms, dtype, stream);
    const Buffer qkv(dtype, random_matrix(stream, p.tokens(), 3 * p.hidden()));
    const Outcome all(p, dtype, qkv);
    const RelativeGradients none;
    expect_same(all.dqkv, Outcome(p, dtype, qkv, &none).dqkv, "dqkv");
    const Buffer dbiases(DType::kF32, Tables::filled(p.biases, 2));
    const RelativeGradients biases{{}, {}, dbiases};
    expect_same(all.dqkv, Outcome(p, dtype, qkv, &biases).dqkv, "dqkv");
    expect_same(all.tables.dbiases, dbiases, "dbiases");
  }
}

// The middle of a window of 8192 tokens gives the same as a window of its neighbours alone.
TEST(AttentionByDistance, ALongWindowIsItsNeighbourhoods) {
  constexpr int32_t kLength = 8192, kReach = 64, kFirst = 4001, kNear = 300;
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    CounterStream stream(8);
    const Problem p = make_problem({kLength}, 2, 8, 0, kReach, kAllTerms, dtype, stream);
    Problem near = p;
    near.cu_seqlens = {0, kNear};
    const Matrix qkv = rounded(random_matrix(stream, kLength, 48), dtype);
    Matrix part(kNear, 48);
    for (int64_t t = 0; t < kNear; ++t) {
      for (int64_t c = 0; c < 48; ++c) part(t, c) = qkv(kFirst + t, c);
    }
    const Outcome whole(p, dtype, Buffer(dtype, qkv)), alone(near, dtype, Buffer(dtype, part));
    const double tolerance = dtype == DType::kBF16 ? 0x1p-6 : 1e-5;
    const Matrix out = whole.out.matrix(), out_alone = alone.out.matrix();
    const Matrix dqkv = whole.dqkv.matrix(), dqkv_alone = alone.dqkv.matrix();
    for (int64_t t = 2 * kReach; t < kNear - 2 * kReach; ++t) {
      for (int64_t c = 0; c < 16; ++c) {
        ASSERT_NEAR(out(kFirst + t, c), out_alone(t, c), tolerance) << t;
      }
      for (int64_t c = 0; c < 48; ++c) {
        ASSERT_NEAR(dqkv(kFirst + t, c), dqkv_alone(t, c), 4 * tolerance) << t;
      }
    }
  }
}

TEST(AttentionByDistance, ReachesAcrossALongWindow) {
  constexpr int64_t kLength = 8192;
  CounterStream stream(9);
  Problem p = make_attention_problem({kLength}, 1, 8, 0);
  constexpr int32_t kTables = 512;
  for (int64_t d = 1 - kLength; d < kLength; ++d) {
    p.rows.push_back(static_cast<int32_t>(std::clamp<int64_t>(d + 256, 0, kTables - 1)));
  }
  p.keys = rounded(random_matrix(stream, kTables, 8), DType::kF32);
  p.queries = rounded(random_matrix(stream, kTables, 8), DType::kF32);
  const Matrix qkv = rounded(random_matrix(stream, kLength, 24), DType::kF32);
  const Outcome run(p, DType::kF32, Buffer(DType::kF32, qkv));
  const Matrix lse = run.lse.matrix();
  for (const int64_t i : {int64_t{0}, int64_t{4097}, kLength - 1}) {
    double sum = 0;
    for (int64_t j = 0; j < kLength; ++j) {
      const int64_t row = std::clamp<int64_t>(i - j + 256, 0, kTables - 1);
      double score = 0;
      for (int64_t c = 0; c < 8; ++c) {
        score += qkv(i, c) * qkv(j, 8 + c) + qkv(i, c) * p.keys(row, c) +
                 qkv(j, 8 + c) * p.queries(row, c);
      }
      sum += std::exp(score * double{p.shape().scale});
    }
    EXPECT_NEAR(lse(0, i), std::log(sum), 2e-5) << i;
  }
  for (const double value : run.tables.dkeys.matrix().values) ASSERT_TRUE(std::isfinite(value));
}

TEST(AttentionByDistance, RefusesWhatDoesNotFit) {
  CounterStream stream(10);
  const Problem p = make_problem({5}, 2, 8, 0, -1, kAllTerms, DType::kF32, stream);
  const Tables tables(p, DType::kF32);
  const Buffer qkv(DType::kF32, 5, 48), out(DType::kF32, 5, 16), lse(DType::kF32, 2, 5);
  const Buffer dqkv(DType::kF32, 5, 48);
  const auto refuses = [&](const std::string& reason, const auto& change) {
    SCOPED_TRACE(reason);
    AttentionShape shape = tables.shape(p);
    RelativeGradients gradients = tables.gradients(p);
    change(shape, gradients);
    const Error error = testing::expect_error(ErrorCode::kInternal, [&] {
      attention_backward(out, qkv, out, lse, shape, {}, dqkv, gradients);
    });
    EXPECT_NE(error.reason().find(reason), std::string::npos) << error.reason();
  };
  const Buffer wide(DType::kF32, 23, 17), few(DType::kF32, 22, 16), narrow(DType::kBF16, 23, 16);
  const Buffer one_head(DType::kF32, 1, 23);
  refuses("reach", [](AttentionShape& s, RelativeGradients&) { s.reach = -2; });
  refuses("relative.keys", [&](AttentionShape& s, RelativeGradients&) { s.relative.keys = wide; });
  refuses("relative.keys",
          [&](AttentionShape& s, RelativeGradients&) { s.relative.keys = narrow; });
  refuses("relative.queries",
          [&](AttentionShape& s, RelativeGradients&) { s.relative.queries = few; });
  refuses("relative.biases",
          [&](AttentionShape& s, RelativeGradients&) { s.relative.biases = one_head; });
  refuses("drelative.keys", [&](AttentionShape&, RelativeGradients& g) { g.keys = few; });
  refuses("drelative.queries", [&](AttentionShape&, RelativeGradients& g) { g.queries = narrow; });
  refuses("drelative.biases", [&](AttentionShape&, RelativeGradients& g) { g.biases = one_head; });
  refuses("a gradient is wanted",
          [&](AttentionShape& s, RelativeGradients&) { s.relative.queries = {}; });
  refuses("rows for distances",
          [](AttentionShape& s, RelativeGradients&) { s.relative.rows = {}; });
  for (const int32_t wrong : {-1, 23}) {
    std::vector<int32_t> rows = p.rows;
    rows.back() = wrong;
    refuses("rows of the tables",
            [&](AttentionShape& s, RelativeGradients&) { s.relative.rows = rows; });
  }
  const std::vector<int32_t> even(10), few_rows(7);
  refuses("has a middle", [&](AttentionShape& s, RelativeGradients&) { s.relative.rows = even; });
  refuses("longest window",
          [&](AttentionShape& s, RelativeGradients&) { s.relative.rows = few_rows; });
}

}  // namespace
}  // namespace spanforge::ops
