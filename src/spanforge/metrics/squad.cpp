#include "spanforge/metrics/squad.h"

#include <algorithm>
#include <numeric>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/utf8.h"
#include "spanforge/metrics/python_text.h"

namespace spanforge {
namespace {

bool is_ascii_punctuation(char c) {  // Python's string.punctuation
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

// The bytes of the article at the start of `text` if a word boundary follows it; else 0. Tries "a",
// "an", "the" in this order, as the regular expression does.
size_t article_length(std::string_view text) {
  for (std::string_view article : {"a", "an", "the"}) {
    if (!text.starts_with(article)) continue;
    size_t next = article.size();
    if (next == text.size() || !is_python_word_char(next_code_point(text, next))) {
      return article.size();
    }
  }
  return 0;
}

std::string remove_articles(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool after_word_char = false;
  for (size_t pos = 0; pos < text.size();) {
    const size_t length = after_word_char ? 0 : article_length(text.substr(pos));
    if (length > 0) {
      out += ' ';
      pos += length;
      after_word_char = true;  // a boundary comes next, but no article can start there
      continue;
    }
    const size_t start = pos;
    after_word_char = is_python_word_char(next_code_point(text, pos));
    out += text.substr(start, pos - start);
  }
  return out;
}

std::vector<std::string> squad_tokens(std::string_view text) {
  return python_split(squad_normalize(text));
}

// The number of common tokens; a repeated token counts as often as on the side that has fewer.
int64_t common_tokens(const std::vector<std::string>& gold,
                      const std::vector<std::string>& prediction) {
  int64_t same = 0;
  if (gold.size() <= 64) {  // nearly always: one bit per used token needs no memory
    uint64_t taken = 0;
    for (const std::string& token : prediction) {
      for (size_t i = 0; i < gold.size(); ++i) {
        if ((taken >> i & 1) != 0 || gold[i] != token) continue;
        taken |= uint64_t{1} << i;
        ++same;
        break;
      }
    }
    return same;
  }
  KeyedMap<std::string_view, int64_t> left;
  for (const std::string& token : gold) ++left[token];
  for (const std::string& token : prediction) {
    const auto found = left.find(token);
    if (found == left.end() || found->second == 0) continue;
    --found->second;
    ++same;
  }
  return same;
}

double token_f1(const std::vector<std::string>& gold, const std::vector<std::string>& prediction) {
  if (gold.empty() || prediction.empty()) return gold.empty() && prediction.empty() ? 1.0 : 0.0;
  const int64_t same = common_tokens(gold, prediction);
  if (same == 0) return 0.0;
  const double precision = static_cast<double>(same) / static_cast<double>(prediction.size());
  const double recall = static_cast<double>(same) / static_cast<double>(gold.size());
  return (2 * precision * recall) / (precision + recall);
}

struct Best {
  double score = 0, threshold = 0;
};

// find_best_thresh_v2: takes questions by ascending no-answer probability; every prefix is a
// threshold.
template <class Score>
Best best_threshold(std::span<const ScoredAnswer> items, const Score& score_of,
                    const std::vector<size_t>& order) {
  double current = static_cast<double>(std::count_if(
      items.begin(), items.end(), [](const ScoredAnswer& item) { return !item.has_golds; }));
  Best best{current, 0.0};
  for (size_t i : order) {
    if (!items[i].answered) continue;
    if (items[i].has_golds) {
      current += score_of(items[i]);
    } else if (items[i].predicts_text) {
      current += -1;
    }
    if (current > best.score) best = {current, items[i].no_answer_probability};
  }
  best.score = 100.0 * best.score / static_cast<double>(items.size());
  return best;
}

struct Part {
  double exact = 0, f1 = 0;
  int64_t total = 0;
};

Part percent(Part part) {
  part.exact = 100.0 * part.exact / static_cast<double>(part.total);
  part.f1 = 100.0 * part.f1 / static_cast<double>(part.total);
  return part;
}

double exact_of(const ScoredAnswer& answer) { return answer.points[0]; }
double f1_of(const ScoredAnswer& answer) { return answer.points[1]; }

// Positions of `items` by ascending no_answer_probability; equal ones in tie_order.
std::vector<size_t> threshold_order(std::span<const ScoredAnswer> items,
                                    std::vector<size_t> tie_order) {
  if (tie_order.empty()) {
    tie_order.resize(items.size());
    std::iota(tie_order.begin(), tie_order.end(), size_t{0});
  }
  std::stable_sort(tie_order.begin(), tie_order.end(), [&](size_t a, size_t b) {
    return items[a].no_answer_probability < items[b].no_answer_probability;
  });
  return tie_order;
}

Metric::Add start_squad() {
  return [](const SquadItem& item) -> Points {
    const SquadItemScore score = squad_item_score(item);
    return {score.exact ? 1.0 : 0.0, score.f1};
  };
}

MetricValues finish_squad(const ScoreSheet& sheet) {
  if (sheet.given.empty()) return {{"exact", 0.0}, {"f1", 0.0}, {"total", int64_t{0}}};
  Part all, no_answer, has_answer;
  for (const ScoredAnswer& item : sheet.given) {
    const bool taken_as_none =
        item.answered && item.no_answer_probability > sheet.no_answer_threshold;
    const double none_score = item.has_golds ? 0.0 : 1.0;
    for (Part* part : {&all, item.has_golds ? &has_answer : &no_answer}) {
      part->exact += taken_as_none ? none_score : exact_of(item);
      part->f1 += taken_as_none ? none_score : f1_of(item);
      ++part->total;
    }
  }
  all = percent(all);
  MetricValues values = {{"exact", all.exact}, {"f1", all.f1}, {"total", all.total}};
  if (has_answer.total > 0) {
    const Part part = percent(has_answer);
    values.insert(
        values.end(),
        {{"HasAns_exact", part.exact}, {"HasAns_f1", part.f1}, {"HasAns_total", part.total}});
  }
  if (no_answer.total > 0) {
    const Part part = percent(no_answer);
    values.insert(
        values.end(),
        {{"NoAns_exact", part.exact}, {"NoAns_f1", part.f1}, {"NoAns_total", part.total}});
  }
  const std::span<const ScoredAnswer> best = sheet.best.empty() ? sheet.given : sheet.best;
  const std::vector<size_t> order = threshold_order(best, sheet.tie_order);
  const Best best_exact = best_threshold(best, exact_of, order);
  const Best best_f1 = best_threshold(best, f1_of, order);
  values.insert(values.end(), {{"best_exact", best_exact.score},
                               {"best_exact_thresh", best_exact.threshold},
                               {"best_f1", best_f1.score},
                               {"best_f1_thresh", best_f1.threshold}});
  return values;
}

constexpr MetricKey kSquadKeys[] = {{"exact"},
                                    {"f1"},
                                    {"total"},
                                    {"HasAns_exact"},
                                    {"HasAns_f1"},
                                    {"HasAns_total"},
                                    {"NoAns_exact"},
                                    {"NoAns_f1"},
                                    {"NoAns_total"},
                                    {"best_exact"},
                                    {"best_exact_thresh"},
                                    {"best_f1"},
                                    {"best_f1_thresh"}};

}  // namespace

std::string squad_normalize(std::string_view text) {
  std::string lower = python_lower(text);
  std::erase_if(lower, is_ascii_punctuation);
  std::string out;
  for (const std::string& word : python_split(remove_articles(lower))) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

bool squad_exact(std::string_view gold, std::string_view prediction) {
  return squad_normalize(gold) == squad_normalize(prediction);
}

double squad_f1(std::string_view gold, std::string_view prediction) {
  return token_f1(squad_tokens(gold), squad_tokens(prediction));
}

SquadItemScore squad_item_score(const SquadItem& item) {
  SquadItemScore score;
  if (!item.answered) return score;
  const std::string prediction = squad_normalize(item.prediction);
  const std::vector<std::string> prediction_tokens = python_split(prediction);
  bool any_gold = false;
  for (auto text = item.golds.begin(); text != item.golds.end(); ++text) {
    // Golds often repeat, because several people gave the same answer.
    if (std::find(item.golds.begin(), text, *text) != text) continue;
    const std::string gold = squad_normalize(*text);
    if (gold.empty()) continue;
    any_gold = true;
    score.exact = score.exact || gold == prediction;
    score.f1 = std::max(score.f1, token_f1(python_split(gold), prediction_tokens));
  }
  if (!any_gold) {
    score.exact = prediction.empty();
    score.f1 = prediction_tokens.empty() ? 1.0 : 0.0;
  }
  return score;
}

constinit const Metric kSquadV2 = {
    .name = "squad_v2", .keys = kSquadKeys, .start = start_squad, .finish = finish_squad};

}  // namespace spanforge
