#include "spanforge/model/load_report.h"

#include <algorithm>

#include "spanforge/base/error.h"
#include "spanforge/base/json.h"
#include "spanforge/model/config.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {
namespace {

std::string architecture(const ModelConfig& config) {
  return std::string(
      encoder_spec(config.model_type, ErrorCode::kInternal, "config.json").architecture);
}

std::string escaped(const std::string& text) { return quote_for_message(text, text.size()); }

}  // namespace

std::optional<std::string> unused_weights_message(const LoadReport& report,
                                                  const ModelConfig& config,
                                                  const std::string& source) {
  if (report.unused.empty()) return std::nullopt;
  const std::string name = architecture(config);
  return "Some weights of the model checkpoint at " + escaped(source) +
         " were not used when initializing " + name + ": " + python_str(Json(report.unused)) +
         "\n- This IS expected if you are initializing " + name +
         " from the checkpoint of a model trained on another task or with another architecture."
         "\n- This IS NOT expected if you are initializing " +
         name + " from the checkpoint of a model that you expect to be exactly identical.";
}

std::optional<std::string> new_weights_message(const LoadReport& report, const ModelConfig& config,
                                               const std::string& source) {
  if (report.initialized.empty()) return std::nullopt;
  return "Some weights of " + architecture(config) +
         " were not initialized from the model checkpoint at " + escaped(source) +
         " and are newly initialized: " + python_str(Json(report.initialized)) +
         "\nYou should probably TRAIN this model on a down-stream task to be able to use it for "
         "predictions and inference.";
}

LoadReport with_note(LoadReport report, const ModelConfig& config) {
  if (config.note()) report.notes.insert(report.notes.begin(), *config.note());
  return report;
}

std::vector<std::string> message_lines(const std::string& message) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < message.size();) {
    const size_t end = std::min(message.find('\n', start), message.size());
    lines.push_back(message.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

}  // namespace spanforge
