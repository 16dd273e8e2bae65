#include "spanforge/evaluation/prediction_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "spanforge/base/file.h"

namespace spanforge {
namespace {

Json n_best_json(const std::vector<Candidate>& candidates) {
  Json list = Json::array();
  for (const Candidate& c : candidates) {
    list.push_back({{"start_logit", static_cast<double>(c.start_logit)},
                    {"end_logit", static_cast<double>(c.end_logit)},
                    {"text", c.text},
                    {"probability", c.score}});
  }
  return list;
}

Json top_k_json(const std::vector<Candidate>& candidates) {
  Json list = Json::array();
  for (const Candidate& c : candidates) {
    list.push_back({{"text", c.text},
                    {"score", c.score},
                    {"start", c.span.start},
                    {"end", c.span.end},
                    {"start_logit", static_cast<double>(c.start_logit)},
                    {"end_logit", static_cast<double>(c.end_logit)}});
  }
  return list;
}

}  // namespace

void write_prediction_files(const Dataset& dataset, const FeatureSet& features,
                            const Evaluation& evaluation, const std::filesystem::path& directory,
                            const std::string& prefix) {
  Json predictions = Json::object(), n_best = Json::object(), odds = Json::object(),
       top_k = Json::object();
  // nlohmann's ordered_map looks keys up one by one; ids are unique, so they are appended unseen.
  const auto append = [](Json& object, const std::string& id, Json value) {
    object.get_ref<Json::object_t&>().push_back({id, std::move(value)});
  };
  for (size_t i = 0; i < evaluation.decoded.size(); ++i) {
    const auto [first, last] = features.windows_of(i);
    if (first == last) continue;
    const std::string& id = dataset.examples[i].id;
    const DecodedExample& decoded = evaluation.decoded[i];
    append(predictions, id, decoded.prediction.text);
    append(n_best, id, n_best_json(decoded.candidates));
    append(odds, id, decoded.null_odds);
    if (!evaluation.recipe.empty()) append(top_k, id, top_k_json(evaluation.recipe[i].candidates));
  }
  spanforge::create_directories(directory);
  const auto write = [&](const char* name, const Json& json) {
    write_file_atomic(directory / fmt::format("{}{}", prefix, name),
                      dump_python_json(json, {.indent = 4}) + "\n");
  };
  write("_predictions.json", predictions);
  write("_nbest_predictions.json", n_best);
  write("_null_odds.json", odds);
  if (!evaluation.recipe.empty()) write("_qa_topk.json", top_k);
}

}  // namespace spanforge
