#include "settings.h"

#include "output.h"
#include "spanforge/io/file.h"
#include "spanforge/model/config.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge::app {
namespace {

int32_t positions_of(const std::filesystem::path& directory) {
  return path_exists(ModelConfig::file_in(directory))
             ? ModelConfig::from_directory(directory).longest_input()
             : 512;
}

void note_fallback(const WindowOptions& windows) {
  note(fmt::format("the tokenizer states no maximum length: windows of {} tokens are used",
                   windows.max_seq_length));
}

}  // namespace

WindowOptions choose_windows(const ModelDirectory& model, const Tokenizer& tokenizer,
                             std::optional<int32_t> max_seq_length,
                             std::optional<int32_t> overlap) {
  const int32_t positions = positions_of(model.base);
  const WindowDefaults defaults = default_windows(tokenizer, positions);
  if (!max_seq_length && defaults.used_fallback) note_fallback(defaults.windows);
  return spanforge::choose_windows(defaults.windows, max_seq_length, overlap, positions);
}

AnswerSettings choose_settings(const ModelDirectory& model, const Tokenizer& tokenizer,
                               const AnswerOverlay& asked) {
  const ChosenSettings chosen = choose_answer_settings(load_answer_settings(model.path), asked,
                                                       tokenizer, positions_of(model.base));
  if (chosen.length_is_fallback) note_fallback(chosen.settings.windows);
  return chosen.settings;
}

}  // namespace spanforge::app
