#include "spanforge/data/alignment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <vector>

#include "spanforge/data/normalize.h"

namespace spanforge {
namespace {

constexpr int64_t kNear = 8;  // a shift of more characters is called "elsewhere"

// Code point positions of every occurrence of text in the context.
std::vector<int64_t> find_all(std::string_view text, std::string_view context) {
  std::vector<int64_t> starts;
  if (text.empty()) return starts;
  int64_t characters = 0;
  size_t counted = 0;
  for (size_t at = context.find(text); at != std::string_view::npos;
       at = context.find(text, at + 1)) {
    characters += static_cast<int64_t>(count_code_points(context.substr(counted, at - counted)));
    counted = at;
    starts.push_back(characters);
  }
  return starts;
}

// The code point at which `units` UTF-16 units of the context have passed.
std::optional<int64_t> from_utf16(std::string_view context, int64_t units) {
  int64_t characters = 0, passed = 0;
  for (size_t at = 0; at < context.size() && passed < units; ++characters) {
    passed += next_code_point(context, at) >= 0x10000 ? 2 : 1;
  }
  return passed == units ? std::optional(characters) : std::nullopt;
}

std::optional<int64_t> from_bytes(std::string_view context, int64_t bytes) {
  if (bytes < 0 || static_cast<size_t>(bytes) > context.size()) return std::nullopt;
  return static_cast<int64_t>(count_code_points(context.substr(0, static_cast<size_t>(bytes))));
}

// The text without any white space, and the code point each remaining character had.
struct Squeezed {
  std::string text;
  std::vector<int64_t> positions;
};
Squeezed squeeze(std::string_view text) {
  Squeezed result;
  int64_t position = 0;
  for (size_t at = 0; at < text.size(); ++position) {
    const char32_t c = next_code_point(text, at);
    if (is_white_space(c)) continue;
    append_utf8(c, result.text);
    result.positions.push_back(position);
  }
  return result;
}

// The occurrence the stated start would name if it had been counted in the context with its white
// space changed: without what leads the text, with "\n" for "\r\n", or with every run made one.
std::optional<int64_t> shifted_by_white_space(const std::string& context, int64_t stated,
                                              const std::vector<int64_t>& occurrences) {
  int64_t leading = 0, returns = 0, squeezed = 0, position = 0;
  char32_t previous = 0;
  auto next = occurrences.begin();
  for (size_t at = 0; at < context.size() && next != occurrences.end(); ++position) {
    if (*next == position) {
      const int64_t missing = position - stated;
      if (missing > 0 && (missing == leading || missing == returns || missing == squeezed)) {
        return position;
      }
      ++next;
    }
    const char32_t c = next_code_point(context, at);
    const bool space = is_white_space(c);
    leading += space && leading == position;
    returns += previous == U'\r' && c == U'\n';
    squeezed += space && position > 0 && is_white_space(previous);
    previous = c;
  }
  return std::nullopt;
}

// The answer is there but for white space: in its own text, or before it.
std::optional<int64_t> by_white_space(const Answer& answer, const std::string& context,
                                      const std::vector<int64_t>& occurrences) {
  if (!occurrences.empty()) {
    return shifted_by_white_space(context, answer.answer_start, occurrences);
  }
  const Squeezed needle = squeeze(answer.text), hay = squeeze(context);
  const std::vector<int64_t> matches = find_all(needle.text, hay.text);
  if (matches.empty()) return std::nullopt;
  const auto distance = [&](int64_t match) {
    return std::abs(hay.positions[static_cast<size_t>(match)] - answer.answer_start);
  };
  const int64_t best = *std::min_element(matches.begin(), matches.end(), [&](int64_t a, int64_t b) {
    return distance(a) < distance(b);
  });
  return hay.positions[static_cast<size_t>(best)];
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
    case Misalignment::kShifted:
      return "shifted";
    case Misalignment::kElsewhere:
      return "elsewhere";
    case Misalignment::kRepeated:
      return "repeated";
    case Misalignment::kAbsent:
      return "absent";
    case Misalignment::kNotSought:
      return "not_sought";
  }
  return "absent";
}

Diagnosis diagnose(const Answer& answer, const std::string& context, const CodePointIndex& index) {
  Diagnosis result;
  const std::vector<int64_t> occurrences = find_all(answer.text, context);
  result.occurrences = static_cast<int64_t>(occurrences.size());
  const int64_t stated = answer.answer_start;
  if (stated >= 0) {
    const auto length = static_cast<int64_t>(count_code_points(answer.text));
    result.found = slice_code_points(context, index, stated, stated + length);
  }
  const auto conclude = [&](Misalignment cause, int64_t start) {
    result.cause = cause;
    result.start = start;
    return result;
  };
  const auto stands_at = [&](std::optional<int64_t> start) {
    return start && std::binary_search(occurrences.begin(), occurrences.end(), *start);
  };
  if (const auto start = from_utf16(context, stated); stated >= 0 && stands_at(start)) {
    return conclude(Misalignment::kUtf16, *start);
  }
  if (const auto start = from_bytes(context, stated); stands_at(start)) {
    return conclude(Misalignment::kBytes, *start);
  }
  if (const auto start = by_white_space(answer, context, occurrences)) {
    return conclude(Misalignment::kWhiteSpace, *start);
  }
  if (occurrences.empty()) return conclude(Misalignment::kAbsent, -1);
  const int64_t nearest = *std::min_element(
      occurrences.begin(), occurrences.end(),
      [&](int64_t a, int64_t b) { return std::abs(a - stated) < std::abs(b - stated); });
  if (stated >= -1 && std::abs(nearest - stated) <= kNear) {
    return conclude(Misalignment::kShifted, nearest);
  }
  if (occurrences.size() == 1) return conclude(Misalignment::kElsewhere, nearest);
  return conclude(Misalignment::kRepeated, -1);
}

std::string describe(const Diagnosis& diagnosis, const Answer& answer) {
  const int64_t by = diagnosis.start - answer.answer_start;
  switch (diagnosis.cause) {
    case Misalignment::kUtf16:
      return fmt::format("answer_start counts UTF-16 units; in characters it is {}",
                         diagnosis.start);
    case Misalignment::kBytes:
      return fmt::format("answer_start counts bytes; in characters it is {}", diagnosis.start);
    case Misalignment::kWhiteSpace:
      return fmt::format("white space was changed; the answer stands at {}", diagnosis.start);
    case Misalignment::kShifted:
      return fmt::format("answer_start is off by {:+d}; the answer stands at {}", -by,
                         diagnosis.start);
    case Misalignment::kElsewhere:
      return fmt::format("the answer stands once, at {}", diagnosis.start);
    case Misalignment::kRepeated:
      return fmt::format("the answer stands {} times, nowhere near", diagnosis.occurrences);
    case Misalignment::kNotSought:
      return "it was not looked for elsewhere: very many answers of this file are wrong";
    case Misalignment::kAbsent:
      break;
  }
  return "the context does not hold it";
}

}  // namespace spanforge
