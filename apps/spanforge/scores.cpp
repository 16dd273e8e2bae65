#include "scores.h"

#include "output.h"
#include "spanforge/metrics/squad.h"
#include "spanforge/metrics/word_f1.h"

namespace spanforge::app {

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
