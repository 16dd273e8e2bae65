#pragma once
// Small models and random batches for the tests of the engine.

#include <cstdint>
#include <string>
#include <vector>

#include "spanforge/features/packed_batch.h"
#include "spanforge/model/model.h"

namespace spanforge::testing {

// Of every family, and of variants with other parts: "deberta-v2 own projections".
std::vector<std::string> model_kinds();
std::string test_name(const std::string& kind);  // in the form that GoogleTest accepts
// ModelConfig::like(PresetSize::kTiny) of a kind.
ModelConfig tiny_config(const std::string& kind);

// Of a kind: 2 layers, 24 wide, 3 heads, 40 inner, 50 words, 40 positions; no dropout, large
// weights.
ModelConfig small_config(const std::string& kind = "bert");

// A small model with random biases and LayerNorms, so that a forgotten one is noticed.
QuestionAnsweringModel random_model(const ModelConfig& config, uint64_t seed,
                                    const Learning& learning = {});

struct RandomWindow {
  int32_t id = 0;
  std::vector<int32_t> input_ids, token_type_ids;
  int32_t start = 0, end = 0;
};
std::vector<RandomWindow> random_windows(const ModelConfig& config,
                                         const std::vector<int32_t>& lengths, uint64_t seed);
PackedBatch pack(const std::vector<RandomWindow>& windows);

std::vector<float> predict(const QuestionAnsweringModel& model, const PackedBatch& batch);
std::vector<float> copy_of(const Tensor& flat);  // [1,n] f32

// |a - b| / |b| of the whole vectors.
double relative_distance(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace spanforge::testing
