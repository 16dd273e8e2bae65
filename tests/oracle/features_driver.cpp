// Features as JSON lines, for oracle_features.py:
//   features_driver MODEL_DIR DATA MAX_LENGTH OVERLAP recipe|run_qa
// One object per window; questions whose first answer is misaligned are dropped. An Error ends the
// output with {"error": place, "reason"}.
#include <iostream>
#include <string>

#include "spanforge/base/json.h"
#include "spanforge/data/dataset.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/features/summary.h"
#include "spanforge/text/tokenizer.h"

namespace {

using spanforge::FeatureSet;
using spanforge::Json;
using spanforge::Window;

Json window_to_json(const spanforge::Dataset& dataset, const FeatureSet& set,
                    const spanforge::Tokenizer& tokenizer, size_t window) {
  const Window& w = set.windows()[window];
  const spanforge::LabelRow row = spanforge::label_row(dataset, set, tokenizer, window);
  Json offsets = Json::array();
  for (const spanforge::CharSpan& o : set.offsets(w)) offsets.push_back({o.start, o.end});
  const auto list = [](std::span<const int32_t> values) {
    return std::vector<int32_t>(values.begin(), values.end());
  };
  return {{"id", dataset.examples[static_cast<size_t>(w.example)].id},
          {"ids", list(set.input_ids(w))},
          {"types", list(set.token_type_ids(w))},
          {"words", list(set.word_ids(w))},
          {"offsets", offsets},
          {"context", {w.context.start, w.context.end}},
          {"label", {w.start_position, w.end_position}},
          {"decoded", row.decoded},
          {"joined", row.label},
          {"input", row.input}};
}

void run(char** argv) {
  const auto tokenizer = spanforge::Tokenizer::from_directory(argv[1]);
  const spanforge::Dataset dataset = spanforge::load_dataset(argv[2]);
  spanforge::FeatureOptions options;
  options.windows = {std::stoi(argv[3]), std::stoi(argv[4])};
  options.on_bad_answer = spanforge::BadAnswerPolicy::kDrop;
  options.label_rule = std::string(argv[5]) == "run_qa" ? spanforge::LabelRule::kRunQa
                                                        : spanforge::LabelRule::kRecipe;
  const FeatureSet set = FeatureSet::build(dataset, tokenizer, options);
  for (size_t w = 0; w < set.size(); ++w) {
    std::cout << window_to_json(dataset, set, tokenizer, w).dump() << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  try {
    run(argv);
  } catch (const spanforge::Error& error) {
    std::cout << Json({{"error", error.place().text()}, {"reason", error.reason()}}).dump() << "\n";
  }
  return 0;
}
