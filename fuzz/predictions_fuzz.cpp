// Any bytes as a predictions file (first line) and an odds file (the rest): scores or an Error.
// Each question's references are its own prediction and the next one's, so every metric has work.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "spanforge/base/error.h"
#include "spanforge/metrics/predictions_file.h"

namespace {

void require_percent(double value) {
  if (!(value >= 0 && value <= 100.0 + 1e-9)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const size_t line = bytes.find('\n');
  try {
    const PredictionsFile predictions = parse_predictions(bytes.substr(0, line), "predictions");
    std::optional<OddsFile> odds;
    if (line != std::string_view::npos) odds = parse_odds(bytes.substr(line + 1), "odds");
    Dataset dataset;
    for (size_t i = 0; i < predictions.texts.size(); ++i) {
      Example& example = dataset.examples.emplace_back();
      example.id = predictions.texts[i].first;
      const size_t next = (i + 1) % predictions.texts.size();
      if (i % 3 != 2)
        example.answers = {{predictions.texts[i].second, 0}, {predictions.texts[next].second, 0}};
    }
    const PredictionScores scores =
        score_predictions(dataset, predictions, odds, 1.0, all_metrics().subspan(1));
    for (const MetricValue& value : scores.values) {
      const bool counts = std::holds_alternative<int64_t>(value.number);
      if (counts || value.key.ends_with("_thresh")) continue;
      require_percent(std::get<double>(value.number));
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadData || error.place().text().empty()) std::abort();
  }
  return 0;
}
