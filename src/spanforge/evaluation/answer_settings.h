#pragma once
// What: spanforge.json, beside config.json: how a trained model wants to be asked. Training writes
//   it; evaluation and answering read it, so that all three agree.
// Format (keys may be added; unknown ones are ignored when reading):
//   {"format": 1, "decoder": "spanforge", "max_seq_length": 384, "window_overlap": 128,
//    "max_answer_length": 30, "null_answers": false, "null_threshold": 0.0, "temperature": 1.0,
//    "training": {...}}      notes of the training, for people and checks: data hashes and the like
// Units: tokens; null_threshold in log odds of "no answer" over the best answer.

#include <cstdint>
#include <filesystem>
#include <optional>

#include "spanforge/base/json.h"
#include "spanforge/decode/decoder.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/model_files.h"

namespace spanforge {

struct AnswerSettings {
  DecoderKind decoder = DecoderKind::kSpanforge;
  WindowOptions windows;
  int32_t max_answer_length = 30;
  bool null_answers = false;    // trained with questions that have no answer
  double null_threshold = 0.0;  // "" when null odds > threshold
  double temperature = 1.0;

  DecoderOptions decoder_options(int32_t top_k = 1) const;
};

// What a user asks for; nullopt: not said.
struct GivenSettings {
  std::optional<DecoderKind> decoder;
  std::optional<int32_t> max_seq_length, window_overlap, max_answer_length;
  std::optional<bool> null_answers;
  std::optional<double> null_threshold;
};

struct ChosenSettings {
  AnswerSettings settings;
  // The windows' length is a default that neither the user, the model nor the tokenizer states.
  bool length_is_fallback = false;
};

// How a model is asked, by evaluation and answering alike: what is given stands first; then what
// training stored, where its decoder is the one used; then that decoder's own defaults (windows as
// default_windows() makes them, 15 tokens for pipeline, 30 for the others, no null answers). The
// decoder is the given one, else the stored one, else spanforge.
// Errors: Error{kUsage, "--max-seq-length"} for windows longer than the model has positions;
// Error{kBadModel, "spanforge.json"} where the stored ones are.
ChosenSettings choose_answer_settings(const std::optional<AnswerSettings>& stored,
                                      const GivenSettings& given, const Tokenizer& tokenizer,
                                      int32_t longest_input);
// The part of it about windows: a given length brings its own default overlap with it.
WindowOptions choose_windows(const WindowOptions& defaults, std::optional<int32_t> max_seq_length,
                             std::optional<int32_t> window_overlap, int32_t longest_input);

// nullopt: the directory has no spanforge.json (a model from elsewhere). Errors: Error{kBadModel}
// naming file and key for a wrong type, range or a newer format.
std::optional<AnswerSettings> load_answer_settings(const std::filesystem::path& directory);

// training: an object of notes, or null.
void save_answer_settings(const AnswerSettings& settings, const Json& training,
                          DirectoryWriter& writer);

// The longest answer to allow, from the labels of the training windows: what 99.5 % of the answers
// need and a quarter more, at least 8 tokens. 30 where nothing is labelled.
int32_t longest_answer_from_labels(const FeatureSet& labelled);

}  // namespace spanforge
