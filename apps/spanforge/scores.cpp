#include "scores.h"


#include "output.h"
#include "spanforge/evaluation/evaluate.h"
#include "spanforge/metrics/cmrc2018.h"
#include "spanforge/metrics/word_f1.h"

namespace spanforge::app {

Json scores_json(const SquadScores& squad, const std::vector<SquadItem>& items,
                 const std::string& metric) {
  Json scores = squad_scores_json(squad);
  if (metric == "cmrc2018" || metric == "all") {
    const CmrcScores cmrc = cmrc2018(items);
    scores["cmrc2018_average"] = cmrc.average;
    scores["cmrc2018_f1"] = cmrc.f1;
    scores["cmrc2018_exact"] = cmrc.exact;
    scores["cmrc2018_skipped"] = cmrc.skipped;
  }
  if (metric == "word_f1" || metric == "all") {
    const WordScores words = word_token_f1(items);
    scores["word_f1"] = words.f1;
    scores["word_precision"] = words.precision;
    scores["word_recall"] = words.recall;
  }
  return scores;
}

Json explain_json(const std::vector<SquadItem>& items) {
  WordMatcher matcher;
  Json list = Json::array();
  for (const SquadItem& item : items) {
    if (squad_item_score(item).exact) continue;
    const WordMatch match = matcher.best_match(item.golds, item.prediction);
    list.push_back({{"id", item.id},
                    {"golds", item.golds},
                    {"prediction", item.answered ? Json(item.prediction) : Json(nullptr)},
                    {"gold_words", match.gold_words},
                    {"prediction_words", match.prediction_words},
                    {"matched", match.matched},
                    {"precision", match.precision},
                    {"recall", match.recall},
                    {"word_f1", match.f1}});
  }
  return list;
}

void print_scores(const Json& scores, const Json& explanation, bool json) {
  if (json) {
    Json out = scores;
    if (!explanation.is_null()) out["explain"] = explanation;
    return print_json(out);
  }
  for (const Json& row : explanation) {
    emit(
        "{}\n  gold        {}\n  prediction  {}\n  precision {:.4g}, recall {:.4g}, f1 {:.4g}, "
        "matched words {}\n",
        row["id"].get<std::string>(), python_str(row["golds"]), python_str(row["prediction"]),
        row["precision"].get<double>(), row["recall"].get<double>(), row["word_f1"].get<double>(),
        python_str(row["matched"]));
  }
  print(python_str(scores) + "\n");
}

}  // namespace spanforge::app
