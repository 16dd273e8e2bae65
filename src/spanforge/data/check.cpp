#include "spanforge/data/check.h"

#include <algorithm>
#include <span>

#include <fmt/core.h>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/data/context_shift.h"
#include "spanforge/data/normalize.h"
#include "spanforge/data/numerals.h"
#include "spanforge/data/occurrences.h"

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
  explicit Checker(const Dataset& dataset) : dataset_(dataset), spoilt_(dataset.examples.size()) {}

  FileReport run() && {
    report_.file = dataset_.file.string();
    report_.questions = static_cast<int64_t>(dataset_.examples.size());
    report_.contexts = static_cast<int64_t>(dataset_.contexts.size());
    std::vector<bool> context_seen(dataset_.contexts.size());
    empty_context_.resize(dataset_.contexts.size());
    take_faults();
    for (size_t i = 0; i < dataset_.examples.size(); ++i) {
      const Example& example = dataset_.examples[i];
      if (!context_seen[example.context]) {
        context_seen[example.context] = true;
        check_context(i);
      }
      check_question(i);
      check_answers(i);
      if (empty_context_[example.context]) spoilt_[i] = true;
    }
    locate_answers();
    if (dataset_.blind) {
      add(FindingKind::kNoReferences, SIZE_MAX,
          "no question has references: the set can be answered, but not trained on or scored");
    }
    report_.usable = std::ranges::count(spoilt_, false);
    return std::move(report_);
  }

 private:
  void add(FindingKind kind, size_t example, std::string reason, int64_t answer = -1) {
    if (is_unsound(kind)) spoilt_[example] = true;
    (is_unsound(kind) ? report_.unsound : report_.remarks)
        .push_back({kind, example, std::move(reason), answer});
  }

  void take_faults() {
    for (const RowFault& fault : dataset_.faults) {
      if (fault.example == SIZE_MAX) continue;
      if (is_unsound(fault.kind)) spoilt_[fault.example] = true;
      if (fault.kind == FaultKind::kTextType && fault.answer >= 0) {
        report_.mistyped_texts.push_back({fault.example, static_cast<size_t>(fault.answer), {}});
      }
    }
    std::ranges::sort(report_.mistyped_texts, {}, key_of<MistypedText>);
  }

  template <class One>
  static std::pair<size_t, size_t> key_of(const One& one) {
    return {one.example, one.answer};
  }

  // null: the answer's text is a string.
  MistypedText* find_mistyped(size_t example, size_t answer) {
    auto& all = report_.mistyped_texts;
    const auto at =
        std::ranges::lower_bound(all, std::pair(example, answer), {}, key_of<MistypedText>);
    return at != all.end() && key_of(*at) == std::pair(example, answer) ? &*at : nullptr;
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
        fmt::format("repeats question {} about the same context{}", quote_for_message(other.id),
                    same ? "" : ", with another answer"));
  }

  void check_answers(size_t i) {
    const Example& example = dataset_.examples[i];
    if (example.answers.empty()) {
      ++report_.without_answer;
      return;
    }
    if (example.is_impossible) {
      add(FindingKind::kImpossibleWithAnswers, i, "is_impossible is true, but there are answers");
    }
    for (size_t a = 0; a < example.answers.size(); ++a) {
      const Answer& answer = example.answers[a];
      const auto at = static_cast<int64_t>(a);
      ++report_.answers;
      const std::string_view inside = trim_white_space(answer.text);
      if (inside.empty()) {
        if (find_mistyped(i, a) != nullptr) continue;  // a null, which is a fault already
        add(FindingKind::kEmptyAnswer, i, fmt::format("answers[{}] is empty", a), at);
      } else if (inside.size() != answer.text.size()) {
        add(FindingKind::kAnswerEdgeSpace, i,
            fmt::format("answers[{}] begins or ends with white space", a), at);
      }
    }
  }

  // Checks the places of answers, all of a context together.
  void locate_answers() {
    const std::vector<std::vector<size_t>> examples = examples_by_context(dataset_);
    for (size_t context = 0; context < examples.size(); ++context) {
      if (!examples[context].empty()) locate_in(dataset_.contexts[context], examples[context]);
    }
    std::ranges::sort(report_.misaligned_answers, {}, key_of<MisalignedAnswer>);
    for (const MisalignedAnswer& item : report_.misaligned_answers) {
      const Diagnosis& diagnosis = item.diagnosis;
      ++report_.misaligned;
      report_.misaligned_first += item.answer == 0;
      if (item.answer == 0) spoilt_[item.example] = true;
      report_.repairable += diagnosis.repair ? 1 : 0;
      report_.negative += diagnosis.stated == StatedStart::kNegative;
      report_.past_end += diagnosis.stated == StatedStart::kPastEnd;
    }
    std::ranges::stable_sort(report_.remarks, {}, &Finding::example);
  }

  // An answer of an example of the context.
  struct AnswerOf {
    size_t example = 0;
    size_t answer = 0;
  };
  const Answer& answer_of(const AnswerOf& one) const {
    return dataset_.examples[one.example].answers[one.answer];
  }

  void locate_in(const std::string& context, std::span<const size_t> examples) {
    const CodePointIndex index(context);
    std::vector<AnswerOf> wrong, right, mistyped;
    for (const size_t i : examples) {
      for (size_t a = 0; a < dataset_.examples[i].answers.size(); ++a) {
        const Answer& answer = dataset_.examples[i].answers[a];
        if (find_mistyped(i, a) != nullptr) {
          mistyped.push_back({i, a});
        } else if (answer.source != StartSource::kUnknown && is_aligned(answer, context, index)) {
          right.push_back({i, a});
        } else {
          wrong.push_back({i, a});
        }
      }
    }
    std::vector<const Answer*> sought;
    for (const AnswerOf& one : wrong) sought.push_back(&answer_of(one));
    std::vector<Diagnosis> diagnoses = diagnose(sought, context, index);
    const bool undecided = std::ranges::any_of(diagnoses, may_be_shifted);
    const std::vector<Occurrences> places = count_places(context, right, undecided);
    remark_several_places(right, places, wrong, diagnoses);
    if (undecided) decide_by_shift(context, index, right, places, wrong, diagnoses);
    for (size_t i = 0; i < wrong.size(); ++i) {
      report_.misaligned_answers.push_back(
          {wrong[i].example, wrong[i].answer, std::move(diagnoses[i])});
    }
    if (!mistyped.empty()) locate_mistyped(context, index, mistyped);
  }

  // The number of places of aligned answers: of those without a start, and of all if asked for.
  std::vector<Occurrences> count_places(const std::string& context,
                                        const std::vector<AnswerOf>& right, bool of_all) const {
    std::vector<std::string_view> texts;
    bool any = false;
    for (const AnswerOf& one : right) {
      const Answer& answer = answer_of(one);
      const bool counted = of_all || answer.source == StartSource::kNoStarts;
      texts.push_back(counted ? std::string_view(answer.text) : std::string_view());
      any = any || counted;
    }
    if (!any) return std::vector<Occurrences>(right.size());
    return find_occurrences(context, texts);
  }

  void remark_several_places(const std::vector<AnswerOf>& right,
                             const std::vector<Occurrences>& places,
                             const std::vector<AnswerOf>& wrong,
                             const std::vector<Diagnosis>& diagnoses) {
    const auto remark = [&](const AnswerOf& one, int64_t count) {
      if (answer_of(one).source == StartSource::kStated || count < 2) return;
      add(FindingKind::kSeveralPlaces, one.example,
          fmt::format("answers[{}] has no start and occurs {} times", one.answer, count),
          static_cast<int64_t>(one.answer));
    };
    for (size_t i = 0; i < right.size(); ++i) remark(right[i], places[i].count);
    for (size_t i = 0; i < wrong.size(); ++i) remark(wrong[i], diagnoses[i].occurrences);
  }

  // The context holds the text several times, and its start does not say which is meant.
  static bool may_be_shifted(const Diagnosis& diagnosis) {
    const bool open =
        diagnosis.cause == Misalignment::kRepeated || diagnosis.cause == Misalignment::kAmbiguous;
    return open && diagnosis.occurrences > 1 && diagnosis.stated != StatedStart::kNegative;
  }

  void decide_by_shift(const std::string& context, const CodePointIndex& index,
                       const std::vector<AnswerOf>& right, const std::vector<Occurrences>& places,
                       const std::vector<AnswerOf>& wrong,
                       std::vector<Diagnosis>& diagnoses) const {
    std::vector<SureAnswer> sure;
    const auto id_of = [&](const AnswerOf& one) -> std::string_view {
      return dataset_.examples[one.example].id;
    };
    for (size_t i = 0; i < right.size(); ++i) {
      const Answer& answer = answer_of(right[i]);
      if (answer.source != StartSource::kStated || places[i].count != 1) continue;
      sure.push_back({answer.answer_start, 0, {}, id_of(right[i])});
    }
    for (size_t i = 0; i < wrong.size(); ++i) {
      const Answer& answer = answer_of(wrong[i]);
      const Diagnosis& diagnosis = diagnoses[i];
      if (answer.source != StartSource::kStated || diagnosis.occurrences != 1) continue;
      if (diagnosis.stated == StatedStart::kNegative) continue;
      SureAnswer& one = sure.emplace_back();
      one.stated = answer.answer_start;
      one.shift = diagnosis.repair->answer_start - answer.answer_start;
      for (const Fit& fit : diagnosis.fits) one.countings.push_back(fit.counting);
      one.id = id_of(wrong[i]);
    }
    const ContextShift shifts(std::move(sure));
    for (size_t i = 0; i < wrong.size(); ++i) {
      if (!may_be_shifted(diagnoses[i])) continue;
      Answer answer = answer_of(wrong[i]);
      std::optional<ShiftProof> proof = shifts.prove(answer.answer_start, diagnoses[i].fits);
      if (!proof) continue;
      answer.answer_start += proof->shift;
      if (!is_aligned(answer, context, index)) continue;
      diagnoses[i].cause = Misalignment::kContextShift;
      diagnoses[i].repair = std::move(answer);
      diagnoses[i].shift = std::move(proof);
    }
  }

  void locate_mistyped(const std::string& context, const CodePointIndex& index,
                       const std::vector<AnswerOf>& mistyped) {
    const Numerals numerals(context);
    for (const AnswerOf& one : mistyped) {
      const Answer& answer = answer_of(one);
      const std::optional<int64_t> place =
          place_of_mistyped(answer.text, stated_start(answer),
                            answer.source == StartSource::kNoStarts, numerals, context, index);
      std::optional<Answer> repair;
      if (place) repair = Answer{answer.text, *place, answer.source};
      find_mistyped(one.example, one.answer)->repair = repair;
      if (answer.source != StartSource::kUnknown && is_aligned(answer, context, index)) continue;
      report_.misaligned_answers.push_back(
          {one.example, one.answer, diagnose_placed(answer, std::move(repair), context, index)});
    }
  }

  const Dataset& dataset_;
  FileReport report_;
  KeyedMap<std::pair<std::string_view, uint64_t>, size_t> asked_;  // question, context -> example
  std::vector<bool> empty_context_;
  std::vector<bool> spoilt_;  // examples with an unsound finding
};

}  // namespace

bool is_unsound(FindingKind kind) {
  switch (kind) {
    case FindingKind::kEmptyQuestion:
    case FindingKind::kEmptyContext:
    case FindingKind::kEmptyAnswer:
    case FindingKind::kImpossibleWithAnswers: return true;
    default: return false;
  }
}

bool is_unsound(FaultKind kind) {
  return kind != FaultKind::kFlagType && kind != FaultKind::kEmptyAnswer;
}

std::string_view finding_name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kEmptyQuestion: return "empty_question";
    case FindingKind::kEmptyContext: return "empty_context";
    case FindingKind::kEmptyAnswer: return "empty_answer";
    case FindingKind::kImpossibleWithAnswers: return "impossible_with_answers";
    case FindingKind::kAnswerEdgeSpace: return "answer_edge_space";
    case FindingKind::kRepeatedQuestion: return "repeated_question";
    case FindingKind::kConflictingAnswer: return "conflicting_answer";
    case FindingKind::kControlCharacter: return "control_character";
    case FindingKind::kCarriageReturn: return "carriage_return";
    case FindingKind::kSeveralPlaces: return "several_places";
    case FindingKind::kNoReferences: return "no_references";
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
