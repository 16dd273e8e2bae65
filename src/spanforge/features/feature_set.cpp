#include "spanforge/features/feature_set.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"
#include "spanforge/data/dataset.h"
#include "spanforge/data/normalize.h"
#include "spanforge/data/occurrences.h"
#include "spanforge/features/label.h"
#include "spanforge/features/window_plan.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {
namespace {

// Examples are processed in blocks: progress is reported between two blocks, and only one block's
// questions are in memory.
constexpr int64_t kBlockExamples = 4096;
constexpr int32_t kUsualLength = 384;
constexpr int32_t kUsualOverlap = 128;

struct ContextTokens {
  TokenBuffer tokens;
  CodePointIndex characters{""};
  bool ready = false;
};

// The plan of one example for the flat arrays.
struct Plan {
  TokenBuffer question;
  std::optional<WindowPlan> windows;  // in context tokens; nullopt: the example is dropped
  int32_t window_count() const { return windows ? windows->size() : 0; }
  std::optional<CharSpan> answer;  // what to label, in code points of the context
  bool labelled = false;           // with that answer or, if there is none, with [CLS]
  int64_t first_token = 0;
  int32_t first_window = 0;
};

// Why a first answer has no label.
std::string describe_fault(const Answer& answer, const Example& example, const std::string& context,
                           const CodePointIndex& index) {
  const std::string text = quote_for_message(answer.text);
  if (trim_white_space(answer.text).empty()) return "the answer is empty";
  if (example.is_impossible) return "is_impossible is true, but it has an answer";
  if (answer.source != StartSource::kStated) {
    const std::string_view sought = answer.text;
    const int64_t places = find_occurrences(context, {&sought, 1})[0].count;
    if (places == 0) return fmt::format("the context does not hold the answer \"{}\"", text);
    return fmt::format("nothing says which of the {} places of the answer \"{}\" is meant", places,
                       text);
  }
  const int64_t start = std::clamp<int64_t>(answer.answer_start, 0, INT32_MAX);
  const auto length = static_cast<int64_t>(count_code_points(answer.text));
  return fmt::format("the answer \"{}\" is not at character {}: the context has \"{}\" there", text,
                     answer.answer_start,
                     quote_for_message(slice_code_points(context, index, start, start + length)));
}

// The first answer's characters; nullopt: it is bad, and the policy is not kError.
std::optional<CharSpan> locate_answer(const Dataset& dataset, const Example& example,
                                      const CodePointIndex& index, BadAnswerPolicy policy) {
  const Answer& answer = example.answers.front();
  const std::string& context = dataset.context_of(example);
  const auto length = static_cast<int64_t>(count_code_points(answer.text));
  const bool blank = trim_white_space(answer.text).empty();
  if (!blank && !example.is_impossible && is_aligned(answer, context, index)) {
    return CharSpan{static_cast<int32_t>(answer.answer_start),
                    static_cast<int32_t>(answer.answer_start + length)};
  }
  if (policy != BadAnswerPolicy::kError) return std::nullopt;
  throw Error(ErrorCode::kBadData, dataset.place_of(example),
              describe_fault(answer, example, context, index) +
                  " (data check finds the cause; `on_bad_answer` drop skips it)");
}

}  // namespace

class FeatureBuilder {
 public:
  FeatureBuilder(const Dataset& dataset, const Tokenizer& tokenizer, const FeatureOptions& options)
      : dataset_(dataset),
        tokenizer_(tokenizer),
        options_(options),
        pair_template_(tokenizer.pair_template()),
        special_count_(tokenizer.special_token_count(true)),
        contexts_(dataset.contexts.size()),
        last_use_(dataset.contexts.size()) {
    for (size_t i = 0; i < dataset.examples.size(); ++i) {
      last_use_[dataset.examples[i].context] = static_cast<int64_t>(i);
    }
    const WindowOptions& windows = options.windows;
    if (windows.max_seq_length <= special_count_) {
      throw Error(ErrorCode::kUsage, {.parameter = "max_seq_length"},
                  fmt::format("{} tokens leave no room: a window has {} special tokens",
                              windows.max_seq_length, special_count_));
    }
    if (windows.window_overlap < 0 ||
        windows.window_overlap >= windows.max_seq_length - special_count_) {
      throw Error(
          ErrorCode::kUsage, {.parameter = "window_overlap"},
          fmt::format("{} leaves no step in windows of {} tokens ({} of them special): give "
                      "0 to {}",
                      windows.window_overlap, windows.max_seq_length, special_count_,
                      windows.max_seq_length - special_count_ - 1));
    }
    if (pair_template_.empty() || pair_template_.front().sequence != -1) {
      throw Error(ErrorCode::kBadModel, {.file = "tokenizer.json"},
                  "puts no special token before a pair, so a question without answer has no label");
    }
  }

  bool done() const { return filled_ == total(); }

  // The windows of the next examples, until they have `tokens` tokens.
  FeatureSet next(int64_t tokens) {
    features_ = FeatureSet();
    features_.window_options_ = options_.windows;
    features_.first_example_ = static_cast<size_t>(filled_);
    features_.first_window_.push_back(0);
    next_token_ = 0;
    if (filled_ == 0 && options_.progress) options_.progress(0, total());
    while (!done() && next_token_ < tokens) {
      if (filled_ == planned_) plan_block();
      fill_until(tokens);
      if (options_.progress) options_.progress(filled_, total());
    }
    return std::move(features_);
  }

 private:
  int64_t total() const { return static_cast<int64_t>(dataset_.examples.size()); }
  const Example& example(int64_t index) const {
    return dataset_.examples[static_cast<size_t>(index)];
  }
  Plan& plan(int64_t index) { return plans_[static_cast<size_t>(index - planned_first_)]; }

  // Makes the tokens of the next block of examples, and plans their windows.
  void plan_block() {
    planned_first_ = planned_;
    planned_ = std::min(total(), planned_first_ + kBlockExamples);
    tokenize_contexts(planned_first_, planned_);
    plans_.assign(static_cast<size_t>(planned_ - planned_first_), Plan());
    parallel_for(planned_ - planned_first_, 16, [&](int64_t i) {
      plan_example(example(planned_first_ + i), plan(planned_first_ + i));
    });
  }

  // Fills the windows of planned examples.
  void fill_until(int64_t tokens_wanted) {
    const int64_t first = filled_;
    while (filled_ < planned_ && next_token_ < tokens_wanted) {
      reserve_windows(static_cast<int32_t>(filled_), plan(filled_));
      ++filled_;
    }
    const auto tokens = static_cast<size_t>(next_token_);
    features_.input_ids_.resize(tokens);
    features_.type_ids_.resize(tokens);
    if (options_.with_places) {
      features_.word_ids_.resize(tokens);
      features_.offsets_.resize(tokens);
    }
    parallel_for(filled_ - first, 16,
                 [&](int64_t i) { fill_windows(example(first + i), plan(first + i)); });
    for (int64_t i = first; i < filled_; ++i) count_labels(example(i), plan(i));
    release_contexts(first, filled_);
  }

  void tokenize_contexts(int64_t first, int64_t end) {
    std::vector<size_t> fresh;
    for (int64_t i = first; i < end; ++i) {
      const size_t context = dataset_.examples[static_cast<size_t>(i)].context;
      if (std::exchange(contexts_[context].ready, true)) continue;
      fresh.push_back(context);
    }
    parallel_for(static_cast<int64_t>(fresh.size()), 4, [&](int64_t i) {
      const size_t context = fresh[static_cast<size_t>(i)];
      tokenizer_.tokenize(dataset_.contexts[context], contexts_[context].tokens);
      contexts_[context].characters = CodePointIndex(dataset_.contexts[context]);
    });
  }

  // Questions about one context are mostly neighbours, so few contexts' tokens are held at a time.
  void release_contexts(int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i) {
      const size_t context = dataset_.examples[static_cast<size_t>(i)].context;
      if (last_use_[context] < end) contexts_[context] = ContextTokens();
    }
  }

  void plan_example(const Example& example, Plan& plan) const {
    const ContextTokens& context = contexts_[example.context];
    if (options_.with_labels) {
      if (!example.answers.empty()) {
        plan.answer = locate_answer(dataset_, example, context.characters, options_.on_bad_answer);
      }
      plan.labelled = example.answers.empty() || plan.answer;
      if (!plan.labelled && options_.on_bad_answer == BadAnswerPolicy::kDrop) return;
    }
    tokenizer_.tokenize(example.question, plan.question);
    const auto question_size = static_cast<int32_t>(plan.question.size());
    const auto context_size = static_cast<int32_t>(context.tokens.size());
    const WindowOptions& options = options_.windows;
    const int32_t room = options.max_seq_length - special_count_ - question_size;
    if (!leaves_room(room, context_size, options)) {
      throw Error(ErrorCode::kBadData, dataset_.place_of(example),
                  no_room_reason(question_size, room, options));
    }
    plan.windows = WindowPlan{context_size, room, options.window_overlap};
  }

  void reserve_windows(int32_t example, Plan& plan) {
    plan.first_token = next_token_;
    plan.first_window = static_cast<int32_t>(features_.windows_.size());
    const auto fixed = static_cast<int32_t>(plan.question.size()) + special_count_;
    for (int32_t i = 0; i < plan.window_count(); ++i) {
      Window window;
      window.first_token = next_token_;
      window.length = fixed + (*plan.windows)[i].size();
      window.example = example;
      window.index = i;
      window.labelled = plan.labelled;
      features_.windows_.push_back(window);
      next_token_ += window.length;
    }
    features_.first_window_.push_back(static_cast<int32_t>(features_.windows_.size()));
  }

  void fill_windows(const Example& example, const Plan& plan) {
    const TokenBuffer& context = contexts_[example.context].tokens;
    for (int32_t i = 0; i < plan.window_count(); ++i) {
      Window& window = features_.windows_[static_cast<size_t>(plan.first_window + i)];
      const TokenSpan part = (*plan.windows)[i];
      fill_tokens(plan.question, context, part, window);
      if (!plan.answer) continue;
      if (const auto label = label_part(context, part, *plan.answer)) {
        window.start_position = window.context.start + label->first;
        window.end_position = window.context.start + label->last;
      }
    }
  }

  std::optional<LabelSpan> label_part(const TokenBuffer& context, TokenSpan part,
                                      CharSpan answer) const {
    const std::span<const CharSpan> offsets(context.offsets.data() + part.start,
                                            static_cast<size_t>(part.size()));
    if (offsets.empty() || context.first_offsets.empty()) {
      return label_answer(offsets, answer, options_.label_rule);
    }
    std::vector<CharSpan> here(offsets.begin(), offsets.end());
    here[0] = context.first_offsets[static_cast<size_t>(part.start)];
    return label_answer(here, answer, options_.label_rule);
  }

  void fill_tokens(const TokenBuffer& question, const TokenBuffer& context, TokenSpan part,
                   Window& window) {
    auto at = static_cast<size_t>(window.first_token);
    const auto copy = [&](const TokenBuffer& from, size_t begin, size_t end, int32_t type) {
      const auto range = [&](const auto& all, auto& to) {
        std::copy(all.begin() + static_cast<std::ptrdiff_t>(begin),
                  all.begin() + static_cast<std::ptrdiff_t>(end),
                  to.begin() + static_cast<std::ptrdiff_t>(at));
      };
      range(from.ids, features_.input_ids_);
      if (options_.with_places) {
        range(from.offsets, features_.offsets_);
        range(from.word_ids, features_.word_ids_);
        if (begin < end && !from.first_offsets.empty()) {
          features_.offsets_[at] = from.first_offsets[begin];
        }
      }
      std::fill_n(features_.type_ids_.begin() + static_cast<std::ptrdiff_t>(at), end - begin, type);
      at += end - begin;
    };
    for (const TemplatePiece& piece : pair_template_) {
      if (piece.sequence == 0) {
        copy(question, 0, question.size(), piece.type_id);
      } else if (piece.sequence == 1) {
        window.context.start = static_cast<int32_t>(at - static_cast<size_t>(window.first_token));
        window.context.end = window.context.start + part.size();
        copy(context, static_cast<size_t>(part.start), static_cast<size_t>(part.end),
             piece.type_id);
      } else {
        features_.input_ids_[at] = piece.token_id;
        features_.type_ids_[at] = piece.type_id;
        if (options_.with_places) features_.word_ids_[at] = -1;  // offsets are {0, 0} already
        ++at;
      }
    }
  }

  void count_labels(const Example& example, const Plan& plan) {
    if (!options_.with_labels) return;
    LabelCounts& counts = features_.counts_;
    if (example.answers.empty()) {
      ++counts.impossible;
    } else if (!plan.answer) {
      ++(options_.on_bad_answer == BadAnswerPolicy::kDrop ? counts.dropped : counts.unlabelled);
    } else {
      const auto first = features_.windows_.begin() + plan.first_window;
      const bool held = std::any_of(first, first + plan.window_count(),
                                    [](const Window& w) { return w.end_position > 0; });
      ++(held ? counts.aligned : counts.truncated);
      const auto& offsets = contexts_[example.context].tokens.offsets;
      if (!held && !label_answer(offsets, *plan.answer, options_.label_rule))
        ++counts.edges_outside;
      if (held && is_inside_token(offsets, *plan.answer)) ++counts.inside_token;
    }
  }

  const Dataset& dataset_;
  const Tokenizer& tokenizer_;
  const FeatureOptions options_;
  const std::vector<TemplatePiece>& pair_template_;
  const int32_t special_count_;
  std::vector<ContextTokens> contexts_;
  std::vector<int64_t> last_use_;  // [context]: the last example that asks about it
  // Examples [planned_first_, planned_) have plans; those before filled_ already have windows.
  int64_t planned_first_ = 0, planned_ = 0, filled_ = 0;
  std::vector<Plan> plans_;
  int64_t next_token_ = 0;  // of the chunk being filled
  FeatureSet features_;
};

void require_sound_answers(const Dataset& dataset) {
  const std::vector<std::vector<size_t>> examples = examples_by_context(dataset);
  std::vector<size_t> bad(examples.size(), SIZE_MAX);  // the first of each context
  parallel_for(static_cast<int64_t>(examples.size()), 8, [&](int64_t context) {
    const auto number = static_cast<size_t>(context);
    const CodePointIndex index(dataset.contexts[number]);
    for (const size_t i : examples[number]) {
      const Example& example = dataset.examples[i];
      if (example.answers.empty() ||
          locate_answer(dataset, example, index, BadAnswerPolicy::kDrop)) {
        continue;
      }
      bad[number] = i;
      break;
    }
  });
  const auto first = std::ranges::min_element(bad);
  if (first == bad.end() || *first == SIZE_MAX) return;
  const Example& example = dataset.examples[*first];
  locate_answer(dataset, example, CodePointIndex(dataset.context_of(example)),
                BadAnswerPolicy::kError);
}

FeatureSet FeatureSet::build(const Dataset& dataset, const Tokenizer& tokenizer,
                             const FeatureOptions& options) {
  return FeatureBuilder(dataset, tokenizer, options).next(std::numeric_limits<int64_t>::max());
}

FeatureStream::FeatureStream(const Dataset& dataset, const Tokenizer& tokenizer,
                             const FeatureOptions& options)
    : builder_(std::make_unique<FeatureBuilder>(dataset, tokenizer, options)) {}
FeatureStream::FeatureStream(FeatureStream&&) noexcept = default;
FeatureStream::~FeatureStream() = default;

std::optional<FeatureSet> FeatureStream::next(int64_t tokens) {
  if (builder_->done()) return std::nullopt;
  return builder_->next(tokens);
}

LabelCounts& LabelCounts::operator+=(const LabelCounts& other) {
  aligned += other.aligned;
  inside_token += other.inside_token;
  truncated += other.truncated;
  edges_outside += other.edges_outside;
  dropped += other.dropped;
  unlabelled += other.unlabelled;
  impossible += other.impossible;
  return *this;
}

int32_t FeatureSet::longest_window() const {
  int32_t longest = 0;
  for (const Window& window : windows_) longest = std::max(longest, window.length);
  return longest;
}

WindowDefaults default_windows(const Tokenizer& tokenizer, int32_t longest_input) {
  WindowDefaults result;
  const auto stated = tokenizer.model_max_length();
  result.used_fallback = !stated.has_value();
  const int32_t length = std::min({stated.value_or(kUsualLength), longest_input, kUsualLength});
  result.windows = {length, std::min(length / 2, kUsualOverlap)};
  return result;
}

}  // namespace spanforge
