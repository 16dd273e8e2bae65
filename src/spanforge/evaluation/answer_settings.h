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

namespace spanforge {

class DirectoryWriter;  // io/directory_writer.h

struct AnswerSettings {
  WindowOptions windows;
  DecoderOptions decoder;  // stored: kind, max_answer_length, null_answers, null_threshold and
                           // temperature
};

// What somebody asks for, over what a model has stored; nullopt: not said. Of the fields of
// DecoderOptions and WindowOptions, where they are explained.
struct AnswerOverlay {
  std::optional<DecoderKind> decoder;
  std::optional<int32_t> max_seq_length, window_overlap, max_answer_length;
  std::optional<int32_t> top_k, n_best_size;
  std::optional<bool> null_answers, align_to_words;
  std::optional<double> null_threshold, max_answer_ratio, temperature;
};

struct ChosenSettings {
  AnswerSettings settings;
  // The windows' length is a default that neither the user, the model nor the tokenizer states.
  bool length_is_fallback = false;
};

// How a model is asked, by training, evaluation and answering alike. The decoder is the one asked
// for, else the stored one, else spanforge. Every other field is, in this order,
//   1. what the overlay asks for;
//   2. what training stored, where its decoder is the one used;
//   3. that decoder's own default (DecoderOptions', but 15 tokens for pipeline; windows as
//      default_windows() makes them).
// Errors: Error{kUsage, parameter "max_seq_length"} for windows longer than the model has
// positions; Error{kBadModel, "spanforge.json"} where the stored ones are.
ChosenSettings choose_answer_settings(const std::optional<AnswerSettings>& stored,
                                      const AnswerOverlay& asked, const Tokenizer& tokenizer,
                                      int32_t longest_input);
// The part of it about windows: a length that is asked for brings its own default overlap with it.
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
