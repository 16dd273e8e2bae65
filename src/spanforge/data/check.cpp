#include "spanforge/data/check.h"

#include <fmt/core.h>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/data/normalize.h"

namespace spanforge {
namespace {

bool has_control_character(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    const bool line_or_tab = c == U'\t' || c == U'\n' || c == U'\r';
    if ((c < 0x20 && !line_or_tab) || (c >= 0x7F && c < 0xA0 && c != 0x85)) return true;
  }
  return false;
}

class Checker {
 public:
  explicit Checker(const Dataset& dataset) : dataset_(dataset) {
    for (const std::string& context : dataset.contexts) to_search_ += context.size();
    to_search_ *= kMostSearches;
  }

  FileReport run() && {
    report_.file = dataset_.file.string();
    report_.questions = static_cast<int64_t>(dataset_.examples.size());
    report_.contexts = static_cast<int64_t>(dataset_.contexts.size());
    std::vector<bool> context_seen(dataset_.contexts.size());
    empty_context_.resize(dataset_.contexts.size());
    std::vector<bool> faulty(dataset_.examples.size());
    for (const RowFault& fault : dataset_.faults) {
      if (fault.example != SIZE_MAX) faulty[fault.example] = true;
    }
    for (size_t i = 0; i < dataset_.examples.size(); ++i) {
      const Example& example = dataset_.examples[i];
      if (!context_seen[example.context]) {
        context_seen[example.context] = true;
        check_context(i);
      }
      const size_t unsound = report_.unsound.size();
      const int64_t misaligned = report_.misaligned_first;
      check_question(i);
      check_answers(i);
      const bool sound = !faulty[i] && !empty_context_[example.context] &&
                         report_.unsound.size() == unsound &&
                         report_.misaligned_first == misaligned;
      report_.usable += sound ? 1 : 0;
    }
    return std::move(report_);
  }

 private:
  void add(FindingKind kind, size_t example, std::string reason, int64_t answer = -1) {
    (is_unsound(kind) ? report_.unsound : report_.remarks)
        .push_back({kind, example, std::move(reason), answer});
  }

  void check_context(size_t i) {
    const std::string& context = dataset_.context_of(dataset_.examples[i]);
    if (trim_white_space(context).empty()) {
      empty_context_[dataset_.examples[i].context] = true;
      add(FindingKind::kEmptyContext, i, "the context is empty");
    }
    if (has_control_character(context)) {
      add(FindingKind::kControlCharacter, i, "the context holds a control character");
    }
    if (context.find('\r') != std::string::npos) {
      add(FindingKind::kCarriageReturn, i, "the context holds a carriage return");
    }
  }

  void check_question(size_t i) {
    const Example& example = dataset_.examples[i];
    if (trim_white_space(example.question).empty()) {
      add(FindingKind::kEmptyQuestion, i, "the question is empty");
    }
    const auto [at, fresh] = asked_.try_emplace({example.question, example.context}, i);
    if (fresh) return;
    const Example& other = dataset_.examples[at->second];
    const auto first_answer = [](const Example& e) {
      return e.answers.empty() ? std::string_view() : std::string_view(e.answers.front().text);
    };
    const bool same = first_answer(other) == first_answer(example);
    add(same ? FindingKind::kRepeatedQuestion : FindingKind::kConflictingAnswer, i,
        fmt::format("asks what {} asks of the same context{}", quote_for_message(other.id),
                    same ? "" : ", with another answer"));
  }

  void check_answers(size_t i) {
    const Example& example = dataset_.examples[i];
    if (example.answers.empty()) {
      ++report_.without_answer;
      return;
    }
    if (example.is_impossible) {
      add(FindingKind::kImpossibleWithAnswers, i, "is_impossible is true, yet there are answers");
    }
    const std::string& context = dataset_.context_of(example);
    if (searched_ != example.context) {
      search_.emplace(context);
      searched_ = example.context;
    }
    for (size_t a = 0; a < example.answers.size(); ++a) {
      const Answer& answer = example.answers[a];
      const auto at = static_cast<int64_t>(a);
      ++report_.answers;
      const std::string_view inside = trim_white_space(answer.text);
      if (inside.empty()) {
        add(FindingKind::kEmptyAnswer, i, fmt::format("answers[{}] is empty", a), at);
      } else if (inside.size() != answer.text.size()) {
        add(FindingKind::kAnswerEdgeSpace, i,
            fmt::format("answers[{}] begins or ends with white space", a), at);
      }
      if (is_aligned(answer, context, search_->index())) continue;
      ++report_.misaligned;
      report_.misaligned_first += a == 0;
      report_.misaligned_answers.push_back({i, a, explain(answer, context)});
      const Diagnosis& diagnosis = report_.misaligned_answers.back().diagnosis;
      report_.repairable += diagnosis.repair ? 1 : 0;
      report_.negative += diagnosis.stated == StatedStart::kNegative;
      report_.past_end += diagnosis.stated == StatedStart::kPastEnd;
    }
  }

  // Each diagnosis reads the context: with very many of one long context that would not end.
  Diagnosis explain(const Answer& answer, const std::string& context) {
    if (context.size() > to_search_) return {.cause = Misalignment::kNotSought};
    to_search_ -= context.size();
    return diagnose(answer, *search_);
  }

  static constexpr size_t kMostSearches = 64;  // of the contexts, on the average
  const Dataset& dataset_;
  FileReport report_;
  size_t to_search_ = 0;  // bytes
  KeyedMap<std::pair<std::string_view, uint64_t>, size_t> asked_;  // question, context -> example
  std::optional<AnswerSearch> search_;
  std::vector<bool> empty_context_;
  size_t searched_ = SIZE_MAX;  // the context it searches
};

}  // namespace

bool is_unsound(FindingKind kind) {
  switch (kind) {
    case FindingKind::kEmptyQuestion:
    case FindingKind::kEmptyContext:
    case FindingKind::kEmptyAnswer:
    case FindingKind::kImpossibleWithAnswers:
      return true;
    default:
      return false;
  }
}

std::string_view finding_name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kEmptyQuestion:
      return "empty_question";
    case FindingKind::kEmptyContext:
      return "empty_context";
    case FindingKind::kEmptyAnswer:
      return "empty_answer";
    case FindingKind::kImpossibleWithAnswers:
      return "impossible_with_answers";
    case FindingKind::kAnswerEdgeSpace:
      return "answer_edge_space";
    case FindingKind::kRepeatedQuestion:
      return "repeated_question";
    case FindingKind::kConflictingAnswer:
      return "conflicting_answer";
    case FindingKind::kControlCharacter:
      return "control_character";
    case FindingKind::kCarriageReturn:
      return "carriage_return";
  }
  return "unknown";
}

FileReport check_dataset(const Dataset& dataset) { return Checker(dataset).run(); }

CheckReport check_datasets(const std::vector<const Dataset*>& datasets) {
  CheckReport report;
  for (const Dataset* dataset : datasets) report.files.push_back(check_dataset(*dataset));
  for (size_t a = 0; a < datasets.size(); ++a) {
    for (size_t b = a + 1; b < datasets.size(); ++b) {
      report.overlaps.push_back({a, b, find_overlap(*datasets[a], *datasets[b])});
    }
  }
  return report;
}

}  // namespace spanforge
