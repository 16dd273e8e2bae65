#include "spanforge/train/division.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "parallel/ranks.h"
#include "spanforge/base/random.h"
#include "spanforge/model/model.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/train/gradient_sum.h"
#include "spanforge/train/optimizer.h"

namespace spanforge {
namespace {

TEST(Division, GivesEveryElementToOneRank) {
  for (const int64_t elements : {int64_t{0}, int64_t{1}, int64_t{16384}, int64_t{5'000'003}}) {
    for (const int ranks : {1, 2, 3, 4, 7, 64, 100}) {
      SCOPED_TRACE(::testing::Message() << elements << " elements, " << ranks << " ranks");
      const Division division(elements, ranks);
      int64_t next = 0;
      for (int64_t bucket = 0; bucket < division.bucket_count(); ++bucket) {
        for (int rank = 0; rank < ranks; ++rank) {
          const ElementRange piece = division.piece(bucket, rank);
          if (piece.size() == 0) continue;
          EXPECT_EQ(piece.begin, next);
          EXPECT_EQ(piece.begin % ops::kSumBlock, 0);
          next = piece.end;
        }
        EXPECT_EQ(division.bucket(bucket).end, next);
      }
      EXPECT_EQ(next, elements);
    }
  }
}

TEST(Division, IsEvenForManyBuckets) {
  const Division division(40 << 20, 4);
  for (int rank = 0; rank < 4; ++rank) {
    int64_t size = 0;
    for (const ElementRange& piece : division.pieces_of(rank)) size += piece.size();
    EXPECT_EQ(size, 10 << 20);
  }
}

class DividedState : public ::testing::Test {
 protected:
  static ModelConfig config() {
    ModelConfig config;
    config.vocab_size = 40;
    config.hidden_size = 64;
    config.num_hidden_layers = 3;
    config.num_attention_heads = 2;
    config.intermediate_size = 256;
    config.max_position_embeddings = 16;
    return config;
  }
  static ModelConfig large_config() {
    ModelConfig large = config();
    large.hidden_size = 256;
    large.intermediate_size = 1024;
    large.num_hidden_layers = 5;
    return large;
  }
  static std::unique_ptr<Optimizer> optimizer_of(const TrainableModel& model, OptimizerName name) {
    TrainingArguments arguments;
    arguments.optim = name;
    return make_optimizer(model, arguments);
  }
  // Elements before the embeddings.
  static int64_t dense_size(const TrainableModel& model) {
    int64_t size = model.all_gradients().cols;
    for (const auto& touched : model.touched_rows()) {
      size = std::min(size, touched.parameter.offset);
    }
    return size;
  }
};

// Each rank numbers what it holds; rank 0 gets all, and forgets it again.
TEST_F(DividedState, IsGatheredWhole) {
  if (group_engine().empty()) GTEST_SKIP() << testing::kNoEngine;
  auto model = QuestionAnsweringModel::create(config(), 3);
  model.prepare_training();
  const auto optimizer = optimizer_of(model, OptimizerName::kAdamWTorch);
  ASSERT_TRUE(optimizer->can_be_divided());
  for (const int ranks : {2, 3, 5}) {
    SCOPED_TRACE(ranks);
    const Division division(dense_size(model), ranks);
    testing::run_ranks(ranks, [&](Group& group) {
      const OptimizerState state = optimizer->new_state(division.held_by(group.rank()));
      const auto number = [&](const OptimizerState::Array& array, int64_t i) {
        return static_cast<float>(i + 1) * (array.slot.name == "exp_avg" ? 1.0f : -1.0f);
      };
      std::vector<std::vector<bool>> held;
      for (const OptimizerState::Array& array : state.arrays()) {
        const Tensor all = array.flat();
        held.emplace_back(static_cast<size_t>(all.cols));
        for (const ElementRange& place : array.places_of(division.held_by(group.rank()))) {
          for (int64_t i = place.begin; i < place.end; ++i) {
            all.as<float>()[i] = number(array, i);
            held.back()[static_cast<size_t>(i)] = true;
          }
        }
      }
      gather_state(group, division, state);
      for (const OptimizerState::Array& array : state.arrays()) {
        if (!group.leads()) continue;
        for (const OptimizerState::Part& part : array.parts) {
          for (int64_t i = part.offset; i < part.offset + part.size; ++i) {
            ASSERT_EQ(array.flat().as<float>()[i], number(array, i));
          }
        }
      }
      state.forget_others();
      for (size_t a = 0; a < held.size(); ++a) {
        const OptimizerState::Array& array = state.arrays()[a];
        for (int64_t i = 0; i < array.flat().cols; ++i) {
          ASSERT_EQ(array.flat().as<float>()[i],
                    held[a][static_cast<size_t>(i)] ? number(array, i) : 0.0f);
        }
      }
    });
  }
}

TEST_F(DividedState, IsOnlyForOptimisersThatCanBeCut) {
  auto model = QuestionAnsweringModel::create(config(), 3);
  model.prepare_training();
  EXPECT_FALSE(optimizer_of(model, OptimizerName::kAdafactor)->can_be_divided());
  EXPECT_FALSE(optimizer_of(model, OptimizerName::kSgd)->can_be_divided());
}

// The part of a tensor's pages that is in memory.
double resident(const Tensor& tensor) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(tensor.data) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(tensor.data) + tensor.cols * sizeof(float);
  std::vector<unsigned char> pages((end - begin + page - 1) / page);
  EXPECT_EQ(::mincore(reinterpret_cast<void*>(begin), end - begin, pages.data()), 0);
  const auto there = std::count_if(pages.begin(), pages.end(), [](auto p) { return (p & 1) != 0; });
  return static_cast<double>(there) / static_cast<double>(pages.size());
}

// Also over several buckets. The gradients stay zero but for some of the dense ones and a row.
TEST_F(DividedState, NormHasTheBitsOfOneProcess) {
  if (group_engine().empty()) GTEST_SKIP() << testing::kNoEngine;
  const auto fill = [](TrainableModel& model) {
    model.prepare_training();
    model.touch_rows(0, std::vector<int32_t>{7});
    const Tensor all = model.all_gradients();
    CounterStream stream(5);
    const int64_t size = dense_size(model);
    for (int64_t i = 0; i < size; ++i) {
      all.as<float>()[i] = static_cast<float>(stream.next_uniform() - 0.5);
    }
    model.gradients(model.touched_rows()[0].parameter).row<float>(7)[3] = 2.5f;
  };
  auto whole = QuestionAnsweringModel::create(large_config(), 3);
  fill(whole);
  GroupAlone alone;
  const double expected = GradientSum(whole, alone, 1, false).sum_of_squares();
  for (const int ranks : {2, 3}) {
    testing::run_ranks(ranks, [&](Group& group) {
      auto model = QuestionAnsweringModel::create(large_config(), 3);
      fill(model);
      GradientSum sum(model, group, ranks, /*divides_update=*/true);
      ASSERT_GT(sum.division().bucket_count(), 3);
      EXPECT_EQ(sum.sum_of_squares(), expected);
      EXPECT_EQ(sum.first_non_finite(), -1);
      // What a rank has of others' pieces does not count.
      const int64_t last = sum.division().bucket(2).end - 1;
      for (const int64_t index : {int64_t{100}, last}) {
        const auto own = sum.division().pieces_of(group.rank());
        const bool mine = std::any_of(own.begin(), own.end(), [&](const ElementRange& piece) {
          return index >= piece.begin && index < piece.end;
        });
        if (!mine) model.all_gradients().as<float>()[index] = NAN;
      }
      EXPECT_EQ(sum.first_non_finite(), -1);
      model.all_gradients().as<float>()[last] = NAN;
      EXPECT_EQ(sum.first_non_finite(), last);
    });
  }
}

// As one rank of two has it: half of a large state.
TEST_F(DividedState, TakesMemoryForWhatIsHeld) {
  auto model = QuestionAnsweringModel::create(large_config(), 3);
  model.prepare_training();
  const auto optimizer = optimizer_of(model, OptimizerName::kAdamWTorch);
  const Division division(dense_size(model), 2);
  const auto fill = [](const OptimizerState& state, const std::vector<ElementRange>& ranges) {
    for (const OptimizerState::Array& array : state.arrays()) {
      for (const ElementRange& place : array.places_of(ranges)) {
        std::fill_n(array.flat().as<float>() + place.begin, place.size(), 1.0f);
      }
    }
  };
  const OptimizerState state = optimizer->new_state(division.held_by(0));
  const auto expect_resident = [&](double part) {
    for (const OptimizerState::Array& array : state.arrays()) {
      EXPECT_NEAR(resident(array.flat()), part, 0.05);
    }
  };
  fill(state, division.held_by(0));
  expect_resident(0.5);
  fill(state, division.held_by(1));
  expect_resident(1);
  state.forget_others();
  expect_resident(0.5);
}

}  // namespace
}  // namespace spanforge
