#include "model_testing.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "spanforge/base/hash.h"
#include "spanforge/base/random.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge::testing {

namespace {

struct Variant {
  const char* kind;
  void (*change)(ModelConfig&);
};
constexpr Variant kVariants[] = {
    {"deberta-v2 own projections", [](ModelConfig& c) { c.share_att_key = false; }},
    {"deberta-v2 keys alone",
     [](ModelConfig& c) {
       c.pos_att_type = {"c2p"};
       c.position_buckets = -1;
       c.norm_rel_ebd = "none";
     }},
    {"deberta-v2 all tables",
     [](ModelConfig& c) {
       c.position_biased_input = true;
       c.type_vocab_size = 2;
     }},
    {"deberta-v2 no distances", [](ModelConfig& c) { c.relative_attention = false; }},
};

}  // namespace

std::vector<std::string> model_kinds() {
  std::vector<std::string> kinds = supported_model_types();
  for (const Variant& variant : kVariants) kinds.emplace_back(variant.kind);
  return kinds;
}

std::string test_name(const std::string& kind) {
  std::string name = kind;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

ModelConfig tiny_config(const std::string& kind) {
  ModelConfig config = ModelConfig::like(PresetSize::kTiny, kind.substr(0, kind.find(' ')));
  config.position_buckets = 16;  // more than the distances in the tests' windows
  for (const Variant& variant : kVariants) {
    if (kind == variant.kind) variant.change(config);
  }
  return config;
}

ModelConfig small_config(const std::string& kind) {
  ModelConfig config = tiny_config(kind);
  config.vocab_size = 50;
  config.embedding_size = 16;
  config.hidden_size = 24;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 3;
  config.intermediate_size = 40;
  config.set_longest_input(40);
  config.hidden_dropout_prob = 0;
  config.attention_probs_dropout_prob = 0;
  config.head_dropout_prob = 0;
  config.embedding_dropout_prob = 0;
  config.pad_token_id = std::min(config.pad_token_id, config.vocab_size - 1);
  config.global_attention_every = 2;
  config.local_attention = 10;
  config.initializer_range = 0.3;
  return config;
}

QuestionAnsweringModel random_model(const ModelConfig& config, uint64_t seed,
                                    const Learning& learning) {
  QuestionAnsweringModel model =
      QuestionAnsweringModel::create(config, seed, MatrixSpread::kConfig, learning);
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.init == Parameter::Init::kNormal || parameter.init == Parameter::Init::kRows)
      continue;
    CounterStream stream(combine(seed, stable_hash(parameter.name)));
    const Tensor w = model.weights(parameter);
    for (int64_t i = 0; i < w.size(); ++i) {
      w.as<float>()[i] += 0.2f * static_cast<float>(stream.next_normal());
    }
  }
  model.weights_changed();
  return model;
}

std::vector<RandomWindow> random_windows(const ModelConfig& config,
                                         const std::vector<int32_t>& lengths, uint64_t seed) {
  CounterStream stream(seed);
  const auto below = [&](int32_t n) { return static_cast<int32_t>(stream.next_below(n)); };
  std::vector<RandomWindow> windows;
  for (const int32_t length : lengths) {
    RandomWindow window;
    window.id = static_cast<int32_t>(windows.size());
    const int32_t question = 1 + below(length);
    for (int32_t t = 0; t < length; ++t) {
      window.input_ids.push_back(1 + below(config.vocab_size - 1));
      window.token_type_ids.push_back(t < question ? 0 : 1);
    }
    window.start = below(length);
    window.end = below(length);
    windows.push_back(std::move(window));
  }
  return windows;
}

PackedBatch pack(const std::vector<RandomWindow>& windows) {
  PackedBatch batch;
  batch.cu_seqlens.push_back(0);
  for (const RandomWindow& window : windows) {
    for (size_t t = 0; t < window.input_ids.size(); ++t) {
      batch.input_ids.push_back(window.input_ids[t]);
      batch.token_type_ids.push_back(window.token_type_ids[t]);
      batch.position_ids.push_back(static_cast<int32_t>(t));
    }
    batch.cu_seqlens.push_back(batch.token_count());
    batch.window_ids.push_back(window.id);
    batch.start_positions.push_back(window.start);
    batch.end_positions.push_back(window.end);
  }
  return batch;
}

std::vector<float> predict(const QuestionAnsweringModel& model, const PackedBatch& batch) {
  std::vector<float> logits(2 * batch.input_ids.size());
  Workspace workspace;
  model.predict(batch, workspace, make_tensor(logits.data(), batch.token_count(), 2));
  return logits;
}

std::vector<float> copy_of(const Tensor& flat) {
  return {flat.as<float>(), flat.as<float>() + flat.size()};
}

double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

}  // namespace spanforge::testing
