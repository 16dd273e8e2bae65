#pragma once
// What: spanforge.json, next to config.json: how to ask a trained model. Training writes it,
//   evaluation and answering read it, so that all three agree.
// Format (keys may be added; a reader ignores unknown ones):
//   {"format": 1, "decoder": "spanforge", "max_seq_length": 384, "window_overlap": 128,
//    "max_answer_length": 30, "null_answers": false, "null_threshold": 0.0, "temperature": 1.0,
//    "training": {...}}      notes of the training, such as hashes of the data
// Units: tokens; null_threshold in log odds of "no answer" over the best answer.

#include <cstdint>
#include <filesystem>
#include <optional>

#include "spanforge/base/json.h"
#include "spanforge/decode/decoder.h"
#include "spanforge/features/feature_set.h"

namespace spanforge {

class DirectoryWriter;  // io/directory_writer.h

struct AnswerSettings {
  WindowOptions windows;
  DecoderOptions decoder;  // only kind, max_answer_length, null_answers, null_threshold and
                           // temperature are stored
};

// What the caller asks for instead of what a model has stored; nullopt: nothing. The fields are
// those of DecoderOptions and WindowOptions, which explain them.
struct AnswerOverlay {
  std::optional<DecoderKind> decoder;
  std::optional<int32_t> max_seq_length, window_overlap, max_answer_length;
  std::optional<int32_t> top_k, n_best_size;
  std::optional<bool> null_answers, align_to_words;
  std::optional<double> null_threshold, max_answer_ratio, temperature;
};

struct ChosenSettings {
  AnswerSettings settings;
  // True if neither the user, the model nor the tokenizer gives the windows' length.
  bool length_is_fallback = false;
};

// Chooses how to ask a model; training, evaluation and answering all use this. The decoder is the
// overlay's, else the stored one, else spanforge. Every other field is, in this order,
//   1. the overlay's value;
//   2. the stored value, if the stored decoder is the one in use;
//   3. that decoder's own default (DecoderOptions', but 15 tokens for pipeline; windows as
//      default_windows() makes them).
// Errors: Error{kUsage, parameter "max_seq_length"} for windows longer than the model has
// positions; Error{kBadModel, "spanforge.json"} if the stored windows are.
ChosenSettings choose_answer_settings(const std::optional<AnswerSettings>& stored,
                                      const AnswerOverlay& asked, const Tokenizer& tokenizer,
                                      int32_t longest_input);
// The part about windows. A length that is asked for also sets the default overlap.
WindowOptions choose_windows(const WindowOptions& defaults, std::optional<int32_t> max_seq_length,
                             std::optional<int32_t> window_overlap, int32_t longest_input);

// nullopt: the directory has no spanforge.json, because another program made the model. Errors:
// Error{kBadModel} naming file and key for a wrong type or range, or a newer format.
std::optional<AnswerSettings> load_answer_settings(const std::filesystem::path& directory);

// training: an object of notes, or null.
void save_answer_settings(const AnswerSettings& settings, const Json& training,
                          DirectoryWriter& writer);

// The longest answer to allow, from the labels of the training windows: the length that 99.5 % of
// the answers need, plus a quarter, at least 8 tokens. 30 if nothing is labelled.
int32_t longest_answer_from_labels(const FeatureSet& labelled);

}  // namespace spanforge
