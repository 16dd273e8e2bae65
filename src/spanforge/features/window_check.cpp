#include "spanforge/features/window_check.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/data/dataset.h"
#include "spanforge/features/label.h"
#include "spanforge/features/window_plan.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {
namespace {

class WindowChecker {
 public:
  WindowChecker(const Dataset& dataset, const Tokenizer& tokenizer, const WindowOptions& options)
      : dataset_(dataset),
        tokenizer_(tokenizer),
        options_(options),
        special_count_(tokenizer.special_token_count(true)) {}

  std::vector<WindowFinding> run() && {
    for (size_t i = 0; i < dataset_.examples.size(); ++i) check(i);
    return std::move(findings_);
  }

 private:
  void check(size_t i) {
    const Example& example = dataset_.examples[i];
    if (tokenized_ != example.context) {
      context_.clear();
      tokenizer_.tokenize(dataset_.context_of(example), context_);
      positions_ = CodePointIndex(dataset_.context_of(example));
      tokenized_ = example.context;
    }
    question_.clear();
    tokenizer_.tokenize(example.question, question_);
    const auto context_size = static_cast<int32_t>(context_.size());
    const auto question_size = static_cast<int32_t>(question_.size());
    const int32_t room = options_.max_seq_length - special_count_ - question_size;
    if (!leaves_room(room, context_size, options_)) {
      findings_.push_back(
          {WindowFault::kQuestionTooLong, i, no_room_reason(question_size, room, options_)});
      return;
    }
    if (example.answers.empty() || example.answers.front().text.empty()) return;
    const Answer& answer = example.answers.front();
    if (!is_aligned(answer, dataset_.context_of(example), positions_)) return;
    const auto start = static_cast<int32_t>(answer.answer_start);
    check_answer(i, {start, start + static_cast<int32_t>(count_code_points(answer.text))}, room);
  }

  void check_answer(size_t i, CharSpan answer, int32_t room) {
    const std::span<const CharSpan> offsets = context_.offsets;
    const auto tokens = label_answer(offsets, answer, LabelRule::kRecipe);
    if (!tokens) {
      findings_.push_back({WindowFault::kAnswerWithoutToken, i,
                           "the answer begins or ends at white space or at characters that the "
                           "tokenizer drops"});
      return;
    }
    const WindowPlan windows{static_cast<int32_t>(offsets.size()), room, options_.window_overlap};
    if (windows.holds(tokens->first, tokens->last)) return check_edges(i, answer, *tokens);
    findings_.push_back(
        {WindowFault::kAnswerCut, i,
         fmt::format("the answer's {} tokens cross the edges of all {} windows of {} tokens "
                     "that overlap by {}",
                     tokens->last - tokens->first + 1, windows.size(), options_.max_seq_length,
                     options_.window_overlap)});
  }

  void check_edges(size_t i, CharSpan answer, LabelSpan tokens) {
    const std::span<const CharSpan> offsets = context_.offsets;
    if (!is_inside_token(offsets, answer)) return;
    const std::string& context = dataset_.context_of(dataset_.examples[i]);
    findings_.push_back(
        {WindowFault::kAnswerInsideToken, i,
         fmt::format(
             "the answer is only a part of its tokens, \"{}\": with this tokenizer a model cannot "
             "give less",
             quote_for_message(slice_code_points(context, positions_,
                                                 offsets[static_cast<size_t>(tokens.first)].start,
                                                 offsets[static_cast<size_t>(tokens.last)].end)))});
  }

  const Dataset& dataset_;
  const Tokenizer& tokenizer_;
  const WindowOptions options_;
  const int32_t special_count_;
  TokenBuffer context_, question_;
  CodePointIndex positions_{""};
  size_t tokenized_ = SIZE_MAX;  // the context of context_ and positions_
  std::vector<WindowFinding> findings_;
};

}  // namespace

std::string_view window_fault_name(WindowFault fault) {
  switch (fault) {
    case WindowFault::kQuestionTooLong: return "question_too_long";
    case WindowFault::kAnswerCut: return "answer_cut";
    case WindowFault::kAnswerWithoutToken: return "answer_without_token";
    case WindowFault::kAnswerInsideToken: return "answer_inside_token";
  }
  return "unknown";
}

std::vector<WindowFinding> check_windows(const Dataset& dataset, const Tokenizer& tokenizer,
                                         const WindowOptions& options) {
  return WindowChecker(dataset, tokenizer, options).run();
}

}  // namespace spanforge
