#pragma once
// What a model directory holds and how much memory its use needs, from config.json and the headers
// of the weight files alone; weights are not read.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "spanforge/model/model.h"

namespace spanforge {

struct PartSize {
  std::string part;  // "embeddings", "encoder", "qa_outputs" ("head" if it has several parts)
  int64_t parameters = 0;
};

struct ModelInfo {
  ModelConfig config;
  std::string architecture;           // "BertForQuestionAnswering"
  int64_t parameters = 0;             // question-answering head included
  std::vector<PartSize> parts;        // sum to parameters
  std::filesystem::path weight_file;  // or the index of the shards
  std::vector<std::string>
      stored_types;   // of the weights: "F32", "F16" ...; sorted, without repeats
  LoadReport report;  // as load() would give it
};

// Errors: those of QuestionAnsweringModel::load, except for NaN, because weights are not read.
ModelInfo inspect_model(const ModelDirectory& directory);

// Bytes. With N parameters, L layers, hidden H, inner F, A heads, T tokens per batch and b bytes
// per activation (4, or 2 in bf16):
//   weights      4 N
//   shadow       2 N   in bf16
//   gradients    4 N   training
//   moments      8 N   training with AdamW (others: optimizer_state_bytes in train/optimizer.h)
//   activations  training: L layers kept, T (b (8 H + 2 F) + 4 (A + 4)) each, and once
//                T (b (8 H + F) + 24) for embeddings, backward scratch and logits;
//                answering: one layer, and once T (3 b H + 16);
//                in bf16 also 4 T H for the head's input (8 T H in training);
//                gated feed-forward layers: 3 F instead of 2 F and of F; norms before the
//                branches: once 9 H instead of 8 H in training; a head of several parts: 3
//                tensors in f32, 2 in answering;
//                a table of R distances with P projections in each layer (DeBERTa): L P b R H,
//                and in training some 20 R H once
// The matrix products' scratch and the program itself need some 50 MB more.
struct MemoryEstimate {
  int64_t weights = 0, shadow = 0, gradients = 0, moments = 0, activations = 0;
  int64_t total() const { return weights + shadow + gradients + moments + activations; }
};
MemoryEstimate estimate_training_memory(const ModelConfig& config, Precision precision,
                                        int64_t tokens);
MemoryEstimate estimate_answering_memory(const ModelConfig& config, Precision precision,
                                         int64_t tokens);

}  // namespace spanforge
