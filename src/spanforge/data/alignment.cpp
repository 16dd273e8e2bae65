#include "spanforge/data/alignment.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace spanforge {
namespace {

constexpr int64_t kNear = 8;  // a shift of more characters is called "elsewhere"

Misalignment cause_of(Counting counting) {
  switch (counting) {
    case Counting::kUtf16:
      return Misalignment::kUtf16;
    case Counting::kBytes:
      return Misalignment::kBytes;
    case Counting::kOffByOne:
      return Misalignment::kOffByOne;
    default:
      return Misalignment::kWhiteSpace;
  }
}

Misalignment cause_of(Likeness likeness) {
  switch (likeness) {
    case Likeness::kNormalForm:
      return Misalignment::kNormalForm;
    case Likeness::kInvisible:
      return Misalignment::kInvisible;
    default:
      return Misalignment::kWhiteSpace;
  }
}

// "counts UTF-16 units"
std::string_view describe(Counting counting) {
  switch (counting) {
    case Counting::kCharacters:
      return "counts characters";
    case Counting::kUtf16:
      return "counts UTF-16 units";
    case Counting::kBytes:
      return "counts bytes";
    case Counting::kLeadingSpace:
      return "does not count the white space that leads the context";
    case Counting::kReturns:
      return "counts \\r\\n as one character";
    case Counting::kLineFeeds:
      return "counts \\n as two characters";
    case Counting::kSpaceRuns:
      return "counts runs of white space as one character";
    case Counting::kSqueezed:
      return "counts runs of white space as one character, and none that leads the context";
    case Counting::kOffByOne:
      return "is off by one";
  }
  return "";
}

StatedStart locate(int64_t stated, int64_t context_size) {
  if (stated < 0) return StatedStart::kNegative;
  return stated < context_size ? StatedStart::kInside : StatedStart::kPastEnd;
}

// The one place that is certain: the only one, or the one that all fits name.
std::optional<CharSpan> certain_place(const Places& places, const std::vector<Fit>& fits) {
  if (places.spans.size() == 1) return places.spans.front();
  if (fits.empty()) return std::nullopt;
  for (const Fit& fit : fits) {
    if (fit.span != fits.front().span) return std::nullopt;
  }
  return fits.front().span;
}

Misalignment find_cause(const Places& places, const std::vector<Fit>& fits,
                        const std::optional<CharSpan>& place, int64_t stated) {
  if (places.spans.empty()) return Misalignment::kAbsent;
  if (!place) return fits.empty() ? Misalignment::kRepeated : Misalignment::kAmbiguous;
  if (places.likeness != Likeness::kExact) return cause_of(places.likeness);
  if (!fits.empty()) return cause_of(fits.front().counting);
  const bool near = stated >= 0 && std::abs(place->start - stated) <= kNear;
  return near ? Misalignment::kShifted : Misalignment::kElsewhere;
}

std::string describe_certain(const Diagnosis& diagnosis, const Answer& answer) {
  const int64_t start = diagnosis.repair->answer_start;
  switch (diagnosis.cause) {
    case Misalignment::kNormalForm:
      return fmt::format("composed and decomposed characters differ; the context has it at {}",
                         start);
    case Misalignment::kInvisible:
      return fmt::format("characters that nobody sees differ; the context has it at {}", start);
    case Misalignment::kShifted:
    case Misalignment::kOffByOne:
      return fmt::format("answer_start is off by {:+d}; the answer stands at {}",
                         answer.answer_start - start, start);
    case Misalignment::kElsewhere:
      return fmt::format("the answer stands once, at {}", start);
    default:
      break;
  }
  if (diagnosis.repair->text != answer.text) {
    return fmt::format("white space was changed; the answer stands at {}", start);
  }
  return fmt::format("answer_start {}; in characters it is {}",
                     describe(diagnosis.fits.front().counting), start);
}

// "it counts bytes, then 3; is off by one, then 9": each place once, with its first explanation.
std::string describe_fits(const std::vector<Fit>& fits) {
  std::string out;
  std::vector<int32_t> told;
  for (const Fit& fit : fits) {
    if (std::find(told.begin(), told.end(), fit.span.start) != told.end()) continue;
    told.push_back(fit.span.start);
    if (told.size() > 3) return out + "; and more";
    out += fmt::format("{}{} and the answer stands at {}", out.empty() ? "" : ", or ",
                       describe(fit.counting), fit.span.start);
  }
  return out;
}

}  // namespace

std::string_view misalignment_name(Misalignment cause) {
  switch (cause) {
    case Misalignment::kUtf16:
      return "utf16";
    case Misalignment::kBytes:
      return "bytes";
    case Misalignment::kWhiteSpace:
      return "white_space";
    case Misalignment::kOffByOne:
      return "off_by_one";
    case Misalignment::kNormalForm:
      return "normal_form";
    case Misalignment::kInvisible:
      return "invisible";
    case Misalignment::kShifted:
      return "shifted";
    case Misalignment::kElsewhere:
      return "elsewhere";
    case Misalignment::kAmbiguous:
      return "ambiguous";
    case Misalignment::kRepeated:
      return "repeated";
    case Misalignment::kAbsent:
      return "absent";
    case Misalignment::kNotSought:
      return "not_sought";
  }
  return "absent";
}

std::string_view stated_start_name(StatedStart stated) {
  switch (stated) {
    case StatedStart::kNegative:
      return "negative";
    case StatedStart::kPastEnd:
      return "past_end";
    default:
      return "inside";
  }
}

Diagnosis diagnose(const Answer& answer, AnswerSearch& search) {
  Diagnosis result;
  const int64_t stated = answer.answer_start;
  result.context_size = static_cast<int64_t>(search.index().size());
  result.stated = locate(stated, result.context_size);
  if (result.stated == StatedStart::kInside) {
    const auto length = static_cast<int64_t>(count_code_points(answer.text));
    result.found = slice_code_points(search.context(), search.index(), stated, stated + length);
  }
  const Places places = search.find(answer.text);
  result.places = static_cast<int64_t>(places.spans.size());
  result.occurrences = places.likeness == Likeness::kExact ? result.places : 0;
  result.fits = search.fits(stated, places.spans);
  const std::optional<CharSpan> place = certain_place(places, result.fits);
  result.cause = find_cause(places, result.fits, place, stated);
  if (place) result.repair = Answer{search.slice(*place), place->start};
  return result;
}

std::string describe(const Diagnosis& diagnosis, const Answer& answer) {
  std::string out;
  if (diagnosis.stated == StatedStart::kNegative) {
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
      return out + fmt::format("the answer stands {} times, and nothing tells which is meant",
                               diagnosis.places);
    case Misalignment::kNotSought:
      return out + "it was not looked for elsewhere: very many answers of this file are wrong";
    default:
      return out + "the context does not hold it";
  }
}

}  // namespace spanforge
