#pragma once
// What: a dataset as token windows with labels: run_qa's prepare_train_features in flat arrays.
//   Each question+context pair becomes one or more windows, of BERT's tokenizer "[CLS] question
//   [SEP] context part [SEP]" ([CLS] stands in this file for whatever token begins a window);
//   consecutive windows of one pair overlap by window_overlap context tokens. Nothing is padded.
// Units: positions inside a window are tokens of that window; offsets are code points of the
//   question (before the context) or of the context.
// Threads: building is parallel over contexts and examples and does not depend on thread count.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "spanforge/base/spelling.h"
#include "spanforge/base/utf8.h"

namespace spanforge {

class Tokenizer;
struct Dataset;

// Half-open range of tokens of one window.
struct TokenSpan {
  int32_t start = 0;
  int32_t end = 0;
  int32_t size() const { return end - start; }
  bool operator==(const TokenSpan&) const = default;
};

// What to do with a question whose first answer is not where its file says (or is empty, or stands
// beside is_impossible): stop, leave the question out, or keep its windows without a label.
// Training errs or drops; evaluation keeps, because an answer is scored by its text.
enum class BadAnswerPolicy { kError, kDrop, kKeepUnlabelled };
constexpr auto spellings(BadAnswerPolicy) {  // kKeepUnlabelled is evaluation's alone
  return std::to_array<Spelling<BadAnswerPolicy>>(
      {{"error", BadAnswerPolicy::kError}, {"drop", BadAnswerPolicy::kDrop}});
}
// Which tokens an answer's first and last character map to; they differ when the answer starts or
// ends inside a token or at white space (docs/features.md).
enum class LabelRule { kRecipe, kRunQa };
constexpr auto spellings(LabelRule) {
  return std::to_array<Spelling<LabelRule>>(
      {{"recipe", LabelRule::kRecipe}, {"run_qa", LabelRule::kRunQa}});
}

struct WindowOptions {
  int32_t max_seq_length = 384;  // tokens of a window, special tokens included
  int32_t window_overlap = 128;  // context tokens shared by consecutive windows (HF: doc_stride)
};

struct FeatureOptions {
  WindowOptions windows;
  bool with_labels = true;
  bool with_places = true;  // offsets and word ids, which training does not look at: 12 of the 20
                            // bytes of a token
  BadAnswerPolicy on_bad_answer = BadAnswerPolicy::kError;
  LabelRule label_rule = LabelRule::kRecipe;
  // Called from time to time with (examples done, examples in all), always once at the end.
  std::function<void(int64_t, int64_t)> progress;
};

// Length min(tokenizer's model_max_length, positions the model has, 384), overlap min(length/2,
// 128), where the user gave none. used_fallback: the tokenizer states no maximum (worth saying
// once).
struct WindowDefaults {
  WindowOptions windows;
  bool used_fallback = false;
};
WindowDefaults default_windows(const Tokenizer& tokenizer, int32_t longest_input);

struct Window {
  int64_t first_token = 0;     // into the flat token arrays
  int32_t length = 0;          // tokens
  int32_t example = 0;         // index into Dataset::examples
  int32_t index = 0;           // 0, 1, ... among the windows of its example
  TokenSpan context;           // tokens of this window that are context
  int32_t start_position = 0;  // label: token of the answer's first character, 0 ([CLS]) when none
  int32_t end_position = 0;    // label: token of the answer's last character (inclusive)
  bool labelled = false;       // false: the two positions say nothing, and there is no loss
};

struct LabelCounts {    // over examples that have an answer, first answer only
  int64_t aligned = 0;  // at least one window holds the answer
  int64_t inside_token =
      0;                  // of aligned: it begins or ends inside a token, which is labelled whole
  int64_t truncated = 0;  // no window holds the whole answer: labelled [CLS] everywhere
  int64_t edges_outside = 0;  // of truncated: the answer's first or last character is in no token
                              // of the context at all (white space, or dropped by the tokenizer)
  int64_t dropped = 0;        // misaligned answers, left out under BadAnswerPolicy::kDrop
  int64_t unlabelled = 0;     // misaligned answers, kept under BadAnswerPolicy::kKeepUnlabelled
  int64_t impossible = 0;     // examples without an answer

  LabelCounts& operator+=(const LabelCounts& other);
};

class FeatureBuilder;

class FeatureSet {
 public:
  // Errors: Error{kBadData} naming file, id, expected and found text for an answer that is not
  // where it says (policy kError); naming the id when a question leaves no room for context;
  // Error{kUsage} for an overlap that leaves no step.
  static FeatureSet build(const Dataset& dataset, const Tokenizer& tokenizer,
                          const FeatureOptions& options);

  const std::vector<Window>& windows() const { return windows_; }
  size_t size() const { return windows_.size(); }
  std::span<const int32_t> input_ids(const Window& w) const { return slice(input_ids_, w); }
  std::span<const int32_t> token_type_ids(const Window& w) const { return slice(type_ids_, w); }
  // REQUIRES, as word_ids: built with places.
  std::span<const CharSpan> offsets(const Window& w) const { return slice(offsets_, w); }
  // Index of the pre-tokenised word of each token in its own text; -1 for special tokens.
  std::span<const int32_t> word_ids(const Window& w) const { return slice(word_ids_, w); }
  // The examples whose windows these are: [first_example(), first_example() + example_count()).
  // All of the dataset's, unless this is a chunk of a FeatureStream.
  size_t first_example() const { return first_example_; }
  size_t example_count() const { return first_window_.empty() ? 0 : first_window_.size() - 1; }
  // Windows of example e: [windows_of(e).first, .second); empty for a dropped example.
  std::pair<int32_t, int32_t> windows_of(size_t example) const {
    const size_t i = example - first_example_;
    return {first_window_[i], first_window_[i + 1]};
  }
  const LabelCounts& label_counts() const { return counts_; }
  const WindowOptions& window_options() const { return window_options_; }
  int64_t token_count() const { return static_cast<int64_t>(input_ids_.size()); }
  int32_t longest_window() const;

 private:
  template <class T>
  static std::span<const T> slice(const std::vector<T>& all, const Window& w) {
    return {all.data() + w.first_token, static_cast<size_t>(w.length)};
  }
  friend class FeatureBuilder;
  std::vector<int32_t> input_ids_, type_ids_, word_ids_;
  std::vector<CharSpan> offsets_;
  std::vector<Window> windows_;
  size_t first_example_ = 0;
  std::vector<int32_t> first_window_;  // examples + 1
  LabelCounts counts_;
  WindowOptions window_options_;
};

// What kError says of the first question whose first answer is unsound, without making any windows.
void require_sound_answers(const Dataset& dataset);

// The same windows a chunk of examples after the other, for data whose windows would fill the
// memory. Besides a chunk it holds the tokens of the contexts that are asked about on both sides of
// a chunk's end, and some hundred bytes a context.
class FeatureStream {
 public:
  // Dataset and tokenizer must outlive it. Errors, here and in next(): FeatureSet::build's.
  FeatureStream(const Dataset& dataset, const Tokenizer& tokenizer, const FeatureOptions& options);
  FeatureStream(FeatureStream&&) noexcept;
  ~FeatureStream();

  // The windows of the next examples, of as many as it takes to have at least `tokens` tokens (or
  // of all that are left); nullopt when none is left.
  std::optional<FeatureSet> next(int64_t tokens = kChunkTokens);

  // About 120 MB with everything that evaluation holds of a token; enough windows to sort by
  // length.
  static constexpr int64_t kChunkTokens = 1 << 22;

 private:
  std::unique_ptr<FeatureBuilder> builder_;
};

}  // namespace spanforge
