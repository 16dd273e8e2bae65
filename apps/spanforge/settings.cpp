#include "settings.h"

#include <algorithm>

#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/model/config.h"

namespace spanforge::app {
namespace {

constexpr int32_t kPipelineAnswerLength = 15;

int32_t positions_of(const std::filesystem::path& directory) {
  return std::filesystem::exists(directory / "config.json")
             ? ModelConfig::from_directory(directory).max_position_embeddings
             : 512;
}

WindowOptions given_windows(WindowOptions windows, int32_t positions,
                            std::optional<int32_t> max_seq_length, std::optional<int32_t> overlap) {
  if (max_seq_length) {
    if (*max_seq_length > positions) {
      throw Error(
          ErrorCode::kUsage, "--max-seq-length",
          fmt::format("{} is more than the model's {} positions", *max_seq_length, positions));
    }
    windows = {*max_seq_length, std::min(*max_seq_length / 2, 128)};
  }
  if (overlap) windows.window_overlap = *overlap;
  return windows;
}

}  // namespace

WindowOptions choose_windows(const std::filesystem::path& directory, const Tokenizer& tokenizer,
                             std::optional<int32_t> max_seq_length,
                             std::optional<int32_t> overlap) {
  const int32_t positions = positions_of(directory);
  const WindowDefaults defaults = default_windows(tokenizer, positions);
  if (!max_seq_length && defaults.used_fallback) {
    note(fmt::format("the tokenizer states no maximum length: windows of {} tokens are used",
                     defaults.windows.max_seq_length));
  }
  return given_windows(defaults.windows, positions, max_seq_length, overlap);
}

AnswerSettings choose_settings(const std::filesystem::path& directory, const Tokenizer& tokenizer,
                               const GivenSettings& given) {
  const std::optional<AnswerSettings> stored = load_answer_settings(directory);
  AnswerSettings settings;
  if (stored) settings.decoder = stored->decoder;
  if (given.decoder) settings.decoder = parse_decoder_kind(*given.decoder);
  if (stored && settings.decoder == stored->decoder) {
    settings = *stored;
    settings.windows = given_windows(settings.windows, positions_of(directory),
                                     given.max_seq_length, given.window_overlap);
  } else {
    settings.windows =
        choose_windows(directory, tokenizer, given.max_seq_length, given.window_overlap);
    if (settings.decoder == DecoderKind::kPipeline)
      settings.max_answer_length = kPipelineAnswerLength;
  }
  if (given.max_answer_length) settings.max_answer_length = *given.max_answer_length;
  if (given.null_answers) settings.null_answers = *given.null_answers;
  if (given.null_threshold) settings.null_threshold = *given.null_threshold;
  return settings;
}

}  // namespace spanforge::app
