#include "spanforge/metrics/word_f1.h"

#include <algorithm>

#include <unicode/brkiter.h>
#include <unicode/uscript.h>

#include "spanforge/base/error.h"
#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/utf8.h"
#include "spanforge/metrics/python_text.h"

namespace spanforge {
namespace {

struct Segment {
  std::string word;
  bool single_han = false;  // one Chinese character
  bool joins = false;       // follows the segment before without a gap
};

bool counts_as_word(const std::string& word) {
  if (word == "a" || word == "an" || word == "the") return false;
  for (size_t pos = 0; pos < word.size();) {
    if (is_python_word_char(next_code_point(word, pos))) return true;
  }
  return false;
}

bool is_single_han(const std::string& word) {
  size_t pos = 0;
  const char32_t c = next_code_point(word, pos);
  UErrorCode status = U_ZERO_ERROR;
  return pos == word.size() && uscript_getScript(static_cast<UChar32>(c), &status) == USCRIPT_HAN &&
         U_SUCCESS(status);
}

KeyedSet<std::string> words_of(const std::vector<Segment>& segments) {
  KeyedSet<std::string> words;
  for (const Segment& segment : segments) words.insert(segment.word);
  return words;
}

// Joins adjacent single characters to words, except those that are words of the other text.
std::vector<std::string> join_singles(const std::vector<Segment>& segments,
                                      const KeyedSet<std::string>& other) {
  std::vector<std::string> words;
  bool open = false;  // the last word may still grow
  for (const Segment& segment : segments) {
    const bool may_join = segment.single_han && !other.contains(segment.word);
    if (may_join && open && segment.joins) {
      words.back() += segment.word;
    } else {
      words.push_back(segment.word);
    }
    open = may_join;
  }
  return words;
}

}  // namespace

struct WordMatcher::Impl {
  std::unique_ptr<icu::BreakIterator> breaks;

  std::vector<Segment> segment(std::string_view text) {
    const std::string lower = python_lower(text);
    const auto wide = icu::UnicodeString::fromUTF8(lower);
    breaks->setText(wide);
    std::vector<Segment> segments;
    int32_t word_end = -1;  // where the last counted word ended
    int32_t start = breaks->first();
    for (int32_t end = breaks->next(); end != icu::BreakIterator::DONE; end = breaks->next()) {
      Segment segment;
      wide.tempSubStringBetween(start, end).toUTF8String(segment.word);
      if (counts_as_word(segment.word)) {
        segment.single_han = is_single_han(segment.word);
        segment.joins = word_end == start;
        segments.push_back(std::move(segment));
        word_end = end;
      }
      start = end;
    }
    return segments;
  }
};

WordMatcher::WordMatcher() : impl_(std::make_unique<Impl>()) {
  UErrorCode status = U_ZERO_ERROR;
  impl_->breaks.reset(icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), status));
  if (U_FAILURE(status)) {
    throw Error(ErrorCode::kInternal, {.where = "ICU word segmentation"}, u_errorName(status));
  }
}

WordMatcher::~WordMatcher() = default;

WordMatch WordMatcher::match(std::string_view gold, std::string_view prediction) {
  const std::vector<Segment> gold_segments = impl_->segment(gold);
  const std::vector<Segment> prediction_segments = impl_->segment(prediction);
  WordMatch result;
  result.gold_words = join_singles(gold_segments, words_of(prediction_segments));
  result.prediction_words = join_singles(prediction_segments, words_of(gold_segments));
  if (result.gold_words.empty() || result.prediction_words.empty()) {
    const double both = result.gold_words.empty() && result.prediction_words.empty() ? 1.0 : 0.0;
    result.precision = result.recall = result.f1 = both;
    return result;
  }
  KeyedMap<std::string_view, int64_t> left;
  for (const std::string& word : result.gold_words) ++left[word];
  for (const std::string& word : result.prediction_words) {
    const auto found = left.find(word);
    if (found == left.end() || found->second == 0) continue;
    --found->second;
    result.matched.push_back(word);
  }
  if (result.matched.empty()) return result;
  const auto same = static_cast<double>(result.matched.size());
  result.precision = same / static_cast<double>(result.prediction_words.size());
  result.recall = same / static_cast<double>(result.gold_words.size());
  result.f1 = (2 * result.precision * result.recall) / (result.precision + result.recall);
  return result;
}

WordMatch WordMatcher::best_match(const std::vector<std::string>& golds,
                                  std::string_view prediction) {
  if (golds.empty()) return match("", prediction);
  WordMatch best = match(golds.front(), prediction);
  for (size_t i = 1; i < golds.size(); ++i) {
    WordMatch other = match(golds[i], prediction);
    if (other.f1 > best.f1) best = std::move(other);
  }
  return best;
}

namespace {

Metric::Add start_word_f1() {
  return [matcher = std::make_shared<WordMatcher>()](const SquadItem& item) -> Points {
    if (!item.answered) return {};
    const WordMatch match = matcher->best_match(item.golds, item.prediction);
    return {match.f1, match.precision, match.recall};
  };
}

MetricValues finish_word_f1(const ScoreSheet& sheet) {
  Points sums{};
  for (const ScoredAnswer& answer : sheet.given) {
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += answer.points[i];
  }
  for (double& sum : sums) {
    if (sum != 0) sum = 100.0 * sum / static_cast<double>(sheet.given.size());
  }
  return {{"word_f1", sums[0]}, {"word_precision", sums[1]}, {"word_recall", sums[2]}};
}

constexpr MetricKey kWordF1Keys[] = {{"word_f1"}, {"word_precision"}, {"word_recall"}};

}  // namespace

constinit const Metric kWordF1 = {
    .name = "word_f1", .keys = kWordF1Keys, .start = start_word_f1, .finish = finish_word_f1};

}  // namespace spanforge
