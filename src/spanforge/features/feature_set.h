#pragma once
// What: a dataset as token windows with labels, like run_qa's prepare_train_features, in flat
//   arrays. Each question+context pair becomes one or more windows, with BERT's tokenizer "[CLS]
//   question [SEP] context part [SEP]" (in this file, [CLS] means the first token of a window).
//   Consecutive windows of one pair overlap by window_overlap context tokens. Windows are not
//   padded.
// Units: positions inside a window are tokens of that window; offsets are code points of the
//   question (before the context) or of the context.
// Threads: building is parallel over contexts and examples. The result does not depend on the
//   number of threads.

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

// What to do with a question whose first answer is not where its file says, is empty, or
// contradicts is_impossible: throw, skip the question, or keep its windows without a label.
// Training throws or skips; evaluation keeps, because answers are scored by their text.
enum class BadAnswerPolicy { kError, kDrop, kKeepUnlabelled };
constexpr auto spellings(BadAnswerPolicy) {  // only evaluation uses kKeepUnlabelled
  return std::to_array<Spelling<BadAnswerPolicy>>(
      {{"error", BadAnswerPolicy::kError}, {"drop", BadAnswerPolicy::kDrop}});
}
// How an answer's first and last character map to tokens. The rules differ if the answer starts or
// ends at white space or at a character that the tokenizer drops (docs/features.md).
enum class LabelRule { kRecipe, kRunQa };
constexpr auto spellings(LabelRule) {
  return std::to_array<Spelling<LabelRule>>(
      {{"recipe", LabelRule::kRecipe}, {"run_qa", LabelRule::kRunQa}});
}

struct WindowOptions {
  int32_t max_seq_length = 384;  // tokens of a window, including special tokens
  int32_t window_overlap = 128;  // context tokens shared by consecutive windows (HF: doc_stride)
};

struct FeatureOptions {
  WindowOptions windows;
  bool with_labels = true;
  bool with_places = true;  // offsets and word ids, which training does not need: 12 of the 20
                            // bytes of a token
  BadAnswerPolicy on_bad_answer = BadAnswerPolicy::kError;
  LabelRule label_rule = LabelRule::kRecipe;
  // Called from time to time with (examples done, all examples), always once at the end.
  std::function<void(int64_t, int64_t)> progress;
};

// The defaults: length min(tokenizer's model_max_length, the model's positions, 384), overlap
// min(length/2, 128). used_fallback: the tokenizer states no maximum; tell the user once.
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
  int32_t start_position = 0;  // label: token of the answer's first character; 0 ([CLS]): no answer
  int32_t end_position = 0;    // label: token of the answer's last character (inclusive)
  bool labelled = false;       // false: the two positions have no meaning, and there is no loss
};

struct LabelCounts {    // of examples, by their first answers
  int64_t aligned = 0;  // at least one window holds the answer
  int64_t inside_token =
      0;                  // of aligned: it begins or ends inside a token, which is labelled whole
  int64_t truncated = 0;  // no window holds the whole answer: labelled [CLS] in all windows
  int64_t edges_outside = 0;  // of truncated: the answer's first or last character is in no token
                              // of the context (white space, or dropped by the tokenizer)
  int64_t dropped = 0;        // misaligned answers, skipped by BadAnswerPolicy::kDrop
  int64_t unlabelled = 0;     // misaligned answers, kept by BadAnswerPolicy::kKeepUnlabelled
  int64_t impossible = 0;     // examples without an answer

  LabelCounts& operator+=(const LabelCounts& other);
};

class FeatureBuilder;

class FeatureSet {
 public:
  // Errors: Error{kBadData} with file, id, expected and found text for an answer that is not where
  // it says (policy kError); Error{kBadData} with the id for a question that leaves no room for
  // context; Error{kUsage} for an overlap that leaves no step.
  static FeatureSet build(const Dataset& dataset, const Tokenizer& tokenizer,
                          const FeatureOptions& options);

  const std::vector<Window>& windows() const { return windows_; }
  size_t size() const { return windows_.size(); }
  std::span<const int32_t> input_ids(const Window& w) const { return slice(input_ids_, w); }
  std::span<const int32_t> token_type_ids(const Window& w) const { return slice(type_ids_, w); }
  // REQUIRES (also word_ids): built with places.
  std::span<const CharSpan> offsets(const Window& w) const { return slice(offsets_, w); }
  // Index of the pre-tokenised word of each token in its own text; -1 for special tokens.
  std::span<const int32_t> word_ids(const Window& w) const { return slice(word_ids_, w); }
  // The examples of these windows: [first_example(), first_example() + example_count()). All
  // examples of the dataset, unless this is a chunk of a FeatureStream.
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

// Throws the error of policy kError for the first bad answer, without making windows.
void require_sound_answers(const Dataset& dataset);

// Makes the same windows in chunks of examples, for data whose windows would fill the memory. In
// addition to a chunk, it holds the tokens of contexts that have questions before and after the
// chunk's end, and some hundred bytes per context.
class FeatureStream {
 public:
  // Dataset and tokenizer must outlive it. Errors, also of next(): FeatureSet::build()'s.
  FeatureStream(const Dataset& dataset, const Tokenizer& tokenizer, const FeatureOptions& options);
  FeatureStream(FeatureStream&&) noexcept;
  ~FeatureStream();

  // The windows of the next examples, until they have at least `tokens` tokens or no example is
  // left. nullopt: there are no more examples.
  std::optional<FeatureSet> next(int64_t tokens = kChunkTokens);

  // About 120 MB with all that evaluation stores per token; enough windows to sort by length.
  static constexpr int64_t kChunkTokens = 1 << 22;

 private:
  std::unique_ptr<FeatureBuilder> builder_;
};

}  // namespace spanforge
