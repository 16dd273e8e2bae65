#include "spanforge/evaluation/answer_settings.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/json_view.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/file.h"
#include "spanforge/io/json_file.h"
#include "spanforge/io/model_files.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {
namespace {

constexpr int kFormat = 1;
constexpr int32_t kPipelineAnswerLength = 15;  // tokens; transformers' default
constexpr int32_t kUsualOverlap = 128;

// An absent key leaves the default.
void read(const JsonView& json, const char* key, int32_t lowest, int32_t& out) {
  if (const auto value = json.find(key)) {
    out = static_cast<int32_t>(value->integer(lowest, 1'000'000));
  }
}
void read(const JsonView& json, const char* key, double& out) {
  if (const auto value = json.find(key)) out = value->number();
}

template <class T>
void lay_over(const std::optional<T>& asked, T& field) {
  if (asked) field = *asked;
}

}  // namespace

WindowOptions choose_windows(const WindowOptions& defaults, std::optional<int32_t> max_seq_length,
                             std::optional<int32_t> window_overlap, int32_t longest_input) {
  WindowOptions windows = defaults;
  if (max_seq_length) {
    if (*max_seq_length > longest_input) {
      throw Error(
          ErrorCode::kUsage, {.parameter = "max_seq_length"},
          fmt::format("{} is more than the model's {} positions", *max_seq_length, longest_input));
    }
    windows = {*max_seq_length, std::min(*max_seq_length / 2, kUsualOverlap)};
  }
  if (window_overlap) windows.window_overlap = *window_overlap;
  return windows;
}

ChosenSettings choose_answer_settings(const std::optional<AnswerSettings>& stored,
                                      const AnswerOverlay& asked, const Tokenizer& tokenizer,
                                      int32_t longest_input) {
  ChosenSettings chosen;
  auto& [windows, decoder] = chosen.settings;
  if (stored) decoder.kind = stored->decoder.kind;
  lay_over(asked.decoder, decoder.kind);
  if (stored && decoder.kind == stored->decoder.kind) {
    chosen.settings = *stored;
    if (!asked.max_seq_length && windows.max_seq_length > longest_input) {
      throw Error(ErrorCode::kBadModel, {.file = kAnswerSettingsFile},
                  fmt::format("max_seq_length {} is more than the model's {} positions",
                              windows.max_seq_length, longest_input));
    }
    const int32_t room = windows.max_seq_length - tokenizer.special_token_count(true);
    if (!asked.max_seq_length && !asked.window_overlap && windows.window_overlap >= room) {
      throw Error(ErrorCode::kBadModel, {.file = kAnswerSettingsFile},
                  fmt::format("window_overlap {} leaves no step in windows of {} tokens, special "
                              "ones included",
                              windows.window_overlap, windows.max_seq_length));
    }
  } else {
    const WindowDefaults defaults = default_windows(tokenizer, longest_input);
    windows = defaults.windows;
    chosen.length_is_fallback = defaults.used_fallback && !asked.max_seq_length;
    if (decoder.kind == DecoderKind::kPipeline) decoder.max_answer_length = kPipelineAnswerLength;
  }
  windows = choose_windows(windows, asked.max_seq_length, asked.window_overlap, longest_input);
  lay_over(asked.max_answer_length, decoder.max_answer_length);
  lay_over(asked.top_k, decoder.top_k);
  lay_over(asked.n_best_size, decoder.n_best_size);
  lay_over(asked.null_answers, decoder.null_answers);
  lay_over(asked.align_to_words, decoder.align_to_words);
  lay_over(asked.null_threshold, decoder.null_threshold);
  lay_over(asked.max_answer_ratio, decoder.max_answer_ratio);
  lay_over(asked.temperature, decoder.temperature);
  return chosen;
}

std::optional<AnswerSettings> load_answer_settings(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / kAnswerSettingsFile;
  if (!path_exists(file)) return std::nullopt;
  const Json json = parse_json_file(file, ErrorCode::kBadModel);
  const JsonView view(json, file.string());
  int32_t format = kFormat;
  read(view, "format", 1, format);
  if (format > kFormat) {
    view.fail(fmt::format("format {} is newer than this program reads ({}); update spanforge",
                          format, kFormat));
  }
  AnswerSettings settings;
  DecoderOptions& options = settings.decoder;
  if (const auto decoder = view.find("decoder")) {
    const std::string& name = decoder->string();
    const auto kind = find_spelling<DecoderKind>(name);
    if (!kind) decoder->fail(unknown_spelling<DecoderKind>(name));
    options.kind = *kind;
  }
  read(view, "max_seq_length", 8, settings.windows.max_seq_length);
  read(view, "window_overlap", 0, settings.windows.window_overlap);
  read(view, "max_answer_length", 1, options.max_answer_length);
  if (const auto flag = view.find("null_answers")) options.null_answers = flag->boolean();
  read(view, "null_threshold", options.null_threshold);
  read(view, "temperature", options.temperature);
  if (options.temperature <= 0) view.at("temperature").refuse("a number above 0");
  return settings;
}

void save_answer_settings(const AnswerSettings& settings, const Json& training,
                          DirectoryWriter& writer) {
  Json json = {{"format", kFormat},
               {"decoder", std::string(spelling_of(settings.decoder.kind))},
               {"max_seq_length", settings.windows.max_seq_length},
               {"window_overlap", settings.windows.window_overlap},
               {"max_answer_length", settings.decoder.max_answer_length},
               {"null_answers", settings.decoder.null_answers},
               {"null_threshold", settings.decoder.null_threshold},
               {"temperature", settings.decoder.temperature}};
  if (!training.is_null()) json["training"] = training;
  writer.write_json(kAnswerSettingsFile, json, {.indent = 2, .ensure_ascii = false});
}

int32_t longest_answer_from_labels(const FeatureSet& labelled) {
  std::vector<int32_t> lengths;
  for (const Window& window : labelled.windows()) {
    if (window.end_position > 0) lengths.push_back(window.end_position - window.start_position + 1);
  }
  if (lengths.empty()) return DecoderOptions{}.max_answer_length;
  const auto at = static_cast<size_t>(std::ceil(0.995 * static_cast<double>(lengths.size()))) - 1;
  std::nth_element(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(at),
                   lengths.end());
  return std::max(8, static_cast<int32_t>(std::ceil(1.25 * lengths[at])));
}

}  // namespace spanforge
