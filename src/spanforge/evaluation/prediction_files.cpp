#include "spanforge/evaluation/prediction_files.h"

#include "spanforge/io/file.h"

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

PredictionFiles::Names PredictionFiles::names(const std::string& prefix) {
  return {prefix + "_predictions.json", prefix + "_nbest_predictions.json",
          prefix + "_null_odds.json", prefix + "_qa_topk.json"};
}

PredictionFiles::Files::Files(DirectoryWriter& writer, const Names& names, bool with_top_k)
    : predictions(writer.create(names[0])),
      n_best(writer.create(names[1])),
      odds(writer.create(names[2])) {
  if (with_top_k) top_k.emplace(writer.create(names[3]));
}

void PredictionFiles::add(const Dataset& dataset, const JudgedAnswers& answers) {
  group_.fill([&](DirectoryWriter& writer) {
    if (!files_) files_.emplace(writer, names(prefix_), !answers.recipe.empty());
    for (size_t i = 0; i < answers.decoded.size(); ++i) {
      const size_t example = answers.first_example + i;
      const auto [first, last] = answers.features.windows_of(example);
      if (first == last) continue;
      const std::string& id = dataset.examples[example].id;
      const DecodedExample& decoded = answers.decoded[i];
      files_->predictions.add(id, decoded.prediction.text);
      files_->n_best.add(id, n_best_json(decoded.candidates));
      files_->odds.add(id, decoded.null_odds);
      if (files_->top_k) files_->top_k->add(id, top_k_json(answers.recipe[i].candidates));
    }
  });
}

void PredictionFiles::finish() {
  group_.fill([&](DirectoryWriter& writer) {
    if (!files_) files_.emplace(writer, names(prefix_), false);
    files_->predictions.commit();
    files_->n_best.commit();
    files_->odds.commit();
    if (files_->top_k) files_->top_k->commit();
  });
}

}  // namespace spanforge
