#include "spanforge/data/alignment.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/core.h>

namespace spanforge {
namespace {

constexpr int64_t kNear = 8;  // a shift of more characters is called "elsewhere"

Misalignment cause_of(Counting counting) {
  switch (counting) {
    case Counting::kUtf16: return Misalignment::kUtf16;
    case Counting::kBytes: return Misalignment::kBytes;
    case Counting::kOffByOne: return Misalignment::kOffByOne;
    default: return Misalignment::kWhiteSpace;
  }
}

Misalignment cause_of(Likeness likeness) {
  switch (likeness) {
    case Likeness::kNormalForm: return Misalignment::kNormalForm;
    case Likeness::kInvisible: return Misalignment::kInvisible;
    default: return Misalignment::kWhiteSpace;
  }
}

// "counts UTF-16 units"
std::string_view describe(Counting counting) {
  switch (counting) {
    case Counting::kCharacters: return "counts characters";
    case Counting::kUtf16: return "counts UTF-16 units";
    case Counting::kBytes: return "counts bytes";
    case Counting::kLeadingSpace: return "skips the white space at the context's beginning";
    case Counting::kReturns: return "counts \\r\\n as one character";
    case Counting::kLineFeeds: return "counts \\n as two characters";
    case Counting::kSpaceRuns: return "counts runs of white space as one character";
    case Counting::kSqueezed:
      return "counts runs of white space as one character, and skips the one at the beginning";
    case Counting::kOffByOne: return "is off by one";
  }
  return "";
}

StatedStart locate(int64_t stated, int64_t context_size) {
  if (stated < 0) return StatedStart::kNegative;
  return stated < context_size ? StatedStart::kInside : StatedStart::kPastEnd;
}

// The certain place: the only one, or the one that all fits give.
std::optional<CharSpan> certain_place(const FoundAnswer& found) {
  if (found.places == 1) return found.first;
  if (found.fits.empty()) return std::nullopt;
  for (const Fit& fit : found.fits) {
    if (fit.span != found.fits.front().span) return std::nullopt;
  }
  return found.fits.front().span;
}

Misalignment find_cause(const FoundAnswer& found, const std::optional<CharSpan>& place,
                        const Answer& answer) {
  if (found.places == 0) return Misalignment::kAbsent;
  const bool exact = found.likeness == Likeness::kExact;
  if (answer.source == StartSource::kUnknown && (exact || !place)) {
    return Misalignment::kUnknownStart;
  }
  if (!place) return found.fits.empty() ? Misalignment::kRepeated : Misalignment::kAmbiguous;
  if (!exact) return cause_of(found.likeness);
  if (!found.fits.empty()) return cause_of(found.fits.front().counting);
  const int64_t stated = stated_start(answer);
  const bool near = stated >= 0 && std::abs(place->start - stated) <= kNear;
  return near ? Misalignment::kShifted : Misalignment::kElsewhere;
}

// The part of a diagnosis that does not depend on the true place.
Diagnosis begin_diagnosis(const Answer& answer, const std::string& context,
                          const CodePointIndex& index) {
  Diagnosis result;
  const int64_t stated = stated_start(answer);
  result.context_size = static_cast<int64_t>(index.size());
  result.stated = locate(stated, result.context_size);
  if (result.stated != StatedStart::kInside) return result;
  const auto length = static_cast<int64_t>(count_code_points(answer.text));
  result.found = slice_code_points(context, index, stated, stated + length);
  return result;
}

std::string describe_certain(const Diagnosis& diagnosis, const Answer& answer) {
  const int64_t start = diagnosis.repair->answer_start;
  switch (diagnosis.cause) {
    case Misalignment::kNormalForm:
      return fmt::format("composed and decomposed characters differ; the context has it at {}",
                         start);
    case Misalignment::kInvisible:
      return fmt::format("invisible characters differ; the context has it at {}", start);
    case Misalignment::kShifted:
    case Misalignment::kOffByOne:
      return fmt::format("answer_start is off by {:+d}; the answer is at {}",
                         answer.answer_start - start, start);
    case Misalignment::kElsewhere:
    case Misalignment::kUnknownStart: return fmt::format("the answer occurs once, at {}", start);
    case Misalignment::kContextShift: return describe(*diagnosis.shift, start);
    default: break;
  }
  if (diagnosis.repair->text != answer.text) {
    return fmt::format("white space was changed; the answer is at {}", start);
  }
  return fmt::format("answer_start {}; in characters it is {}",
                     describe(diagnosis.fits.front().counting), start);
}

// Each place once, with its first explanation: "counts bytes and the answer is at 3, or ...".
std::string describe_fits(const std::vector<Fit>& fits) {
  std::string out;
  std::vector<int32_t> named;
  for (const Fit& fit : fits) {
    if (std::find(named.begin(), named.end(), fit.span.start) != named.end()) continue;
    named.push_back(fit.span.start);
    if (named.size() > 3) return out + "; and more";
    out += fmt::format("{}{} and the answer is at {}", out.empty() ? "" : ", or ",
                       describe(fit.counting), fit.span.start);
  }
  return out;
}

}  // namespace

std::string_view misalignment_name(Misalignment cause) {
  switch (cause) {
    case Misalignment::kUtf16: return "utf16";
    case Misalignment::kBytes: return "bytes";
    case Misalignment::kWhiteSpace: return "white_space";
    case Misalignment::kOffByOne: return "off_by_one";
    case Misalignment::kNormalForm: return "normal_form";
    case Misalignment::kInvisible: return "invisible";
    case Misalignment::kShifted: return "shifted";
    case Misalignment::kElsewhere: return "elsewhere";
    case Misalignment::kContextShift: return "context_shift";
    case Misalignment::kUnknownStart: return "unknown_start";
    case Misalignment::kAmbiguous: return "ambiguous";
    case Misalignment::kRepeated: return "repeated";
    case Misalignment::kAbsent: return "absent";
  }
  return "absent";
}

std::string_view stated_start_name(StatedStart stated) {
  switch (stated) {
    case StatedStart::kNegative: return "negative";
    case StatedStart::kPastEnd: return "past_end";
    default: return "inside";
  }
}

int64_t stated_start(const Answer& answer) {
  return answer.source == StartSource::kUnknown ? -1 : answer.answer_start;
}

std::vector<Diagnosis> diagnose(std::span<const Answer* const> answers, const std::string& context,
                                const CodePointIndex& index) {
  std::vector<SoughtAnswer> sought;
  sought.reserve(answers.size());
  for (const Answer* answer : answers) sought.push_back({answer->text, stated_start(*answer)});
  std::vector<FoundAnswer> found = find_answers(context, index, sought);
  std::vector<Diagnosis> all;
  all.reserve(answers.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    Diagnosis& result = all.emplace_back(begin_diagnosis(*answers[i], context, index));
    result.places = found[i].places;
    result.occurrences = found[i].likeness == Likeness::kExact ? result.places : 0;
    const std::optional<CharSpan> place = certain_place(found[i]);
    result.cause = find_cause(found[i], place, *answers[i]);
    result.fits = std::move(found[i].fits);
    if (place) {
      result.repair = Answer{slice_code_points(context, index, place->start, place->end),
                             place->start, answers[i]->source};
    }
  }
  return all;
}

Diagnosis diagnose_placed(const Answer& answer, std::optional<Answer> repair,
                          const std::string& context, const CodePointIndex& index) {
  Diagnosis result = begin_diagnosis(answer, context, index);
  if (!repair) return result;
  FoundAnswer found{.places = 1};
  found.first.start = static_cast<int32_t>(repair->answer_start);
  result.places = result.occurrences = 1;
  result.cause = find_cause(found, found.first, answer);
  result.repair = std::move(repair);
  return result;
}

std::string describe(const Diagnosis& diagnosis, const Answer& answer) {
  std::string out;
  if (answer.source == StartSource::kUnknown) {
    out = "answer_start is not known; ";
  } else if (diagnosis.stated == StatedStart::kNegative) {
    out = "answer_start is negative; ";
  } else if (diagnosis.stated == StatedStart::kPastEnd) {
    out = fmt::format("answer_start is past the end of the context of {} characters; ",
                      diagnosis.context_size);
  }
  if (diagnosis.repair) return out + describe_certain(diagnosis, answer);
  switch (diagnosis.cause) {
    case Misalignment::kAmbiguous:
      return out + "more than one explanation fits: answer_start " + describe_fits(diagnosis.fits);
    case Misalignment::kRepeated:
    case Misalignment::kUnknownStart:
      return out + fmt::format("the answer occurs {} times, and nothing says which is meant",
                               diagnosis.places);
    default: return out + "the context does not hold it";
  }
}

}  // namespace spanforge
