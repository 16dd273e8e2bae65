#include "spanforge/decode/decoder.h"

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"
#include "spanforge/decode/decoders.h"

namespace spanforge {
namespace {

void require(bool ok, const char* parameter, const char* range) {
  if (!ok)
    throw Error(ErrorCode::kUsage, {.parameter = parameter}, fmt::format("must be {}", range));
}

void check(const DecoderOptions& options) {
  require(options.top_k >= 1, "top_k", "at least 1");
  require(options.n_best_size >= 1, "n_best_size", "at least 1");
  require(options.max_answer_length >= 1, "max_answer_length", "at least 1 token");
  require(options.max_answer_ratio >= 0 && options.max_answer_ratio <= 1, "max_answer_ratio",
          "between 0 and 1");
  require(options.temperature > 0, "temperature", "above 0");
}

}  // namespace

DecodedExample decode_example(const Dataset& dataset, const FeatureSet& features,
                              const LogitSet& logits, size_t example,
                              const DecoderOptions& options) {
  check(options);
  const ExampleView view = view_example(dataset, features, logits, example);
  switch (options.kind) {
    case DecoderKind::kSpanforge: return decode_spanforge(view, options);
    case DecoderKind::kPipeline: return decode_pipeline(view, options);
    case DecoderKind::kRunQa: return decode_run_qa(view, options);
    case DecoderKind::kRecipe: return decode_recipe(view, options);
  }
  throw Error(ErrorCode::kInternal, {.where = "decoder"}, "unknown kind");
}

std::vector<DecodedExample> decode_all(const Dataset& dataset, const FeatureSet& features,
                                       const LogitSet& logits, const DecoderOptions& options) {
  const size_t first = features.first_example();
  return decode_range(dataset, features, logits, first, first + features.example_count(), options);
}

std::vector<DecodedExample> decode_range(const Dataset& dataset, const FeatureSet& features,
                                         const LogitSet& logits, size_t first, size_t end,
                                         const DecoderOptions& options) {
  check(options);
  std::vector<DecodedExample> decoded(end - first);
  parallel_for(static_cast<int64_t>(decoded.size()), 4, [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    decoded[at] = decode_example(dataset, features, logits, first + at, options);
  });
  return decoded;
}

}  // namespace spanforge
