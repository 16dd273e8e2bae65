// One object, many threads: functions that headers call concurrent give each thread the same result
// as a single thread.
#include <algorithm>
#include <cstring>
#include <random>
#include <type_traits>

#include <gtest/gtest.h>

#include "progress.h"
#include "spanforge/base/threads.h"
#include "spanforge/inference/pipeline.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/ops/packed_linear.h"
#include "support/testing.h"
#include "threads/together.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::together;

constexpr size_t kThreads = 6;

// Several threads per parallel region, on any machine.
class SharedObjects : public testing::TrainFixture {
 protected:
  SharedObjects() { set_thread_count(3); }
  ~SharedObjects() override { set_thread_count(before_); }

 private:
  int before_ = thread_count();
};

std::vector<std::string> texts() {
  const char* const parts[] = {
      "Anna sat in the harbour. ", "café ",          "谁喜欢吃？", "who[MASK]is ", "WHERE, where; ",
      "\xF0\x9F\x98\x80 ",         "library-museum "};
  std::vector<std::string> result;
  for (size_t i = 0; i < 60; ++i) {
    std::string text;
    for (size_t k = 0; k <= i % 9; ++k) text += parts[(i * 5 + k * 3) % std::size(parts)];
    result.push_back(text);
  }
  return result;
}

bool same(const Encoding& a, const Encoding& b) {
  return a.ids == b.ids && a.tokens == b.tokens && a.offsets.size() == b.offsets.size() &&
         a.word_ids == b.word_ids && a.overflowing.size() == b.overflowing.size();
}

TEST_F(SharedObjects, OneTokenizerServesManyThreads) {
  const Tokenizer tokenizer = Tokenizer::from_directory(at("model"));
  EncodeOptions options;
  options.truncation = Truncation{.max_length = 8, .stride = 2};
  const std::vector<std::string> all = texts();
  const std::vector<Encoding> expected = tokenizer.encode_batch(all, options);
  together(kThreads, [&](size_t thread) {
    TokenBuffer buffer;
    for (size_t k = 0; k < all.size(); ++k) {
      const size_t i = (k + thread * 7) % all.size();
      const Encoding encoding = tokenizer.encode(all[i], options);
      EXPECT_TRUE(same(encoding, expected[i])) << all[i];
      EXPECT_EQ(tokenizer.decode(encoding.ids), tokenizer.decode(expected[i].ids));
      tokenizer.tokenize(all[i], buffer);
    }
    const std::vector<Encoding> batch = tokenizer.encode_batch(all, options);
    for (size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(same(batch[i], expected[i]));
  });
}

TEST_F(SharedObjects, OnePipelineServesManyThreads) {
  const Pipeline pipeline = Pipeline::from_directory(at("model"), Precision::kF32, nullptr, 3);
  std::vector<QuestionContext> questions;
  for (const char* person : {"anna", "bruno", "clara", "dario"}) {
    std::string context;
    for (int i = 0; i < 12; ++i) context += std::string(person) + " sat in the market. ";
    questions.push_back({"where is " + std::string(person) + "?", context, person});
  }
  const DecoderKind decoders[] = {DecoderKind::kSpanforge, DecoderKind::kPipeline,
                                  DecoderKind::kRunQa, DecoderKind::kRecipe};
  const auto options_of = [&](size_t i) {
    AskOptions options;
    options.decoder = decoders[i % std::size(decoders)];
    options.top_k = 3;
    options.batch_size = static_cast<int32_t>(1 + i % 3);
    return options;
  };
  std::vector<std::vector<std::vector<AskAnswer>>> expected;
  for (size_t i = 0; i < kThreads; ++i)
    expected.push_back(pipeline.answer(questions, options_of(i)));
  together(kThreads, [&](size_t i) {
    for (int round = 0; round < 5; ++round) {
      const auto got = pipeline.answer(questions, options_of(i));
      ASSERT_EQ(got.size(), expected[i].size());
      for (size_t q = 0; q < got.size(); ++q) {
        ASSERT_EQ(got[q].size(), expected[i][q].size());
        for (size_t k = 0; k < got[q].size(); ++k) {
          EXPECT_EQ(got[q][k].answer, expected[i][q][k].answer);
          EXPECT_EQ(got[q][k].score, expected[i][q][k].score);
        }
      }
    }
  });
}

// A refused question must not harm the answers to others.
TEST_F(SharedObjects, AnErrorOnOneThreadLeavesTheOthersAlone) {
  const Pipeline pipeline = Pipeline::from_directory(at("model"), Precision::kF32, nullptr, 3);
  const std::vector<QuestionContext> good = {{"where is anna?", "anna sat in the market.", "g"}};
  const auto expected = pipeline.answer(good);
  together(kThreads, [&](size_t i) {
    for (int round = 0; round < 5; ++round) {
      if (i % 2 == 0) {
        testing::expect_error(ErrorCode::kUsage, [&] { pipeline.answer({{"", "x", "bad"}}); });
      } else {
        EXPECT_EQ(pipeline.answer(good)[0][0].answer, expected[0][0].answer);
      }
    }
  });
}

std::vector<float> random_values(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  std::vector<float> values(count);
  for (float& v : values) v = normal(random);
  return values;
}

TEST_F(SharedObjects, OnePackedLayerServesManyThreads) {
  constexpr int64_t kRows = 70, kInputs = 96, kOutputs = 130;
  std::vector<float> w = random_values(kOutputs * kInputs, 1), bias = random_values(kOutputs, 2);
  const Tensor weights = make_tensor(w.data(), kOutputs, kInputs);
  const Tensor b = make_tensor(bias.data(), 1, kOutputs);
  const auto f32 = ops::PackedLinear::f32({weights}, b);
  const auto narrow = ops::PackedLinear::bf16(
      kOutputs, kInputs,
      [&](int64_t first, int64_t count, float* to) {
        std::copy_n(w.data() + first * kInputs, count * kInputs, to);
      },
      b);
  const auto run = [&](auto zero, const ops::PackedLinear& layer) {
    using Value = decltype(zero);
    std::vector<float> wide = random_values(kRows * kInputs, 3);
    std::vector<Value> x(wide.size()), y(kRows * kOutputs);
    for (size_t i = 0; i < x.size(); ++i) {
      if constexpr (std::is_same_v<Value, float>) {
        x[i] = wide[i];
      } else {
        x[i] = to_bf16(wide[i]);
      }
    }
    layer(make_tensor(x.data(), kRows, kInputs), ops::Activation::kGelu,
          make_tensor(y.data(), kRows, kOutputs));
    return y;
  };
  const auto expected_f32 = run(0.0f, f32);
  const auto expected_bf16 = run(bf16{}, narrow);
  together(kThreads, [&](size_t i) {
    for (int round = 0; round < 5; ++round) {
      if (i % 2 == 0) {
        EXPECT_EQ(run(0.0f, f32), expected_f32);
      } else {
        const auto got = run(bf16{}, narrow);
        EXPECT_EQ(std::memcmp(got.data(), expected_bf16.data(), got.size() * sizeof(bf16)), 0);
      }
    }
  });
}

// Each shape is made once and cached. Here many threads ask for the same new ones at the same time.
TEST_F(SharedObjects, NewGemmShapesMayComeFromManyThreads) {
  together(kThreads, [&](size_t) {
    for (int64_t n = 3; n < 20; ++n) {
      std::vector<float> a(static_cast<size_t>(n * n), 1.0f), b = a, c(a.size(), 0.0f);
      ops::gemm(make_tensor(a.data(), n, n), make_tensor(b.data(), n, n),
                make_tensor(c.data(), n, n));
      for (const float v : c) ASSERT_EQ(v, static_cast<float>(n));
    }
  });
}

TEST_F(SharedObjects, ParallelLoopsOfManyThreadsDoNotMix) {
  together(kThreads, [](size_t thread) {
    for (int round = 0; round < 20; ++round) {
      std::vector<int64_t> values(300, 0);
      parallel_for(300, 7, [&](int64_t i) {
        values[static_cast<size_t>(i)] = i + static_cast<int64_t>(thread);
      });
      for (size_t i = 0; i < values.size(); ++i)
        ASSERT_EQ(values[i], static_cast<int64_t>(i + thread));
    }
  });
}

TEST(ProgressBar, TakesUpdatesFromManyThreads) {
  app::ProgressBar bar("Map", "examples", 0);
  const auto callback = bar.callback();
  together(kThreads, [&](size_t i) {
    for (int64_t done = 0; done < 200; ++done) {
      if (i % 2 == 0) {
        callback(done, 200);
      } else {
        bar.update(done);
      }
      if (done % 50 == 0) bar.erase();
    }
  });
  bar.finish();
}

}  // namespace
}  // namespace spanforge
