#include "spanforge/metrics/cmrc2018.h"

#include <algorithm>

#include "spanforge/base/utf8.h"
#include "spanforge/metrics/chinese.h"
#include "spanforge/metrics/python_text.h"

namespace spanforge {
namespace {

constexpr std::u32string_view kRemoved = U"-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』";

bool is_chinese(char32_t c) { return c >= 0x4E00 && c <= 0x9FA5; }

// Length of the longest run of tokens that both lists contain without a gap.
size_t longest_common_run(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<size_t> row(b.size() + 1, 0);  // row[j+1]: common run that ends at a[i], b[j]
  size_t longest = 0;
  for (const std::string& token : a) {
    for (size_t j = b.size(); j-- > 0;) {
      row[j + 1] = token == b[j] ? row[j] + 1 : 0;
      longest = std::max(longest, row[j + 1]);
    }
  }
  return longest;
}

double run_f1(const std::vector<std::string>& gold, const std::vector<std::string>& prediction) {
  const size_t common = longest_common_run(gold, prediction);
  if (common == 0) return 0.0;
  const double precision = static_cast<double>(common) / static_cast<double>(prediction.size());
  const double recall = static_cast<double>(common) / static_cast<double>(gold.size());
  return (2 * precision * recall) / (precision + recall);
}

Metric::Add start_cmrc() {
  return [](const SquadItem& item) -> Points {
    if (!item.answered) return {};
    const std::string prediction = cmrc_remove_punctuation(item.prediction);
    const std::vector<std::string> prediction_tokens = cmrc_tokens(item.prediction);
    double f1 = item.golds.empty() && prediction.empty() ? 1.0 : 0.0;
    double exact = f1;
    for (const std::string& gold : item.golds) {
      f1 = std::max(f1, run_f1(cmrc_tokens(gold), prediction_tokens));
      if (cmrc_remove_punctuation(gold) == prediction) exact = 1.0;
    }
    return {f1, exact};
  };
}

MetricValues finish_cmrc(const ScoreSheet& sheet) {
  double f1 = 0, exact = 0;
  int64_t skipped = 0;
  for (const ScoredAnswer& answer : sheet.given) {
    f1 += answer.points[0];
    exact += answer.points[1];
    if (!answer.answered) ++skipped;
  }
  for (double* sum : {&f1, &exact}) {
    if (*sum != 0) *sum = 100.0 * *sum / static_cast<double>(sheet.given.size());
  }
  return {{"cmrc_average", (exact + f1) * 0.5},
          {"cmrc_f1", f1},
          {"cmrc_exact", exact},
          {"cmrc_skipped", skipped}};
}

std::string advice(std::string_view key) {
  if (key != "f1" && key != "HasAns_f1" && key != "best_f1") return {};
  return "at least half of the validation questions are on Chinese texts, where squad_v2's F1 is "
         "its exact match; cmrc_f1 shows how much of an answer is right";
}

constexpr MetricKey kCmrcKeys[] = {{"cmrc_average", "cmrc2018_average", /*logged=*/false},
                                   {"cmrc_f1", "cmrc2018_f1"},
                                   {"cmrc_exact", "cmrc2018_exact"},
                                   {"cmrc_skipped", "cmrc2018_skipped", /*logged=*/false}};

}  // namespace

std::string cmrc_remove_punctuation(std::string_view text) {
  const std::string lower = python_lower(text);
  const std::string_view stripped = python_strip(lower);
  std::string out;
  for (size_t pos = 0; pos < stripped.size();) {
    const char32_t c = next_code_point(stripped, pos);
    if (kRemoved.find(c) == std::u32string_view::npos) append_utf8(c, out);
  }
  return out;
}

std::vector<std::string> cmrc_tokens(std::string_view text) {
  std::vector<std::string> tokens;
  std::string run;
  const auto end_run = [&] {
    for (std::string& word : python_split(run)) tokens.push_back(std::move(word));
    run.clear();
  };
  const std::string clean = cmrc_remove_punctuation(text);
  for (size_t pos = 0; pos < clean.size();) {
    const char32_t c = next_code_point(clean, pos);
    if (!is_chinese(c)) {
      append_utf8(c, run);
      continue;
    }
    end_run();
    append_utf8(c, tokens.emplace_back());
  }
  end_run();
  return tokens;
}

double cmrc_f1(std::string_view gold, std::string_view prediction) {
  return run_f1(cmrc_tokens(gold), cmrc_tokens(prediction));
}

constinit const Metric kCmrc2018 = {.name = "cmrc2018",
                                    .keys = kCmrcKeys,
                                    .start = start_cmrc,
                                    .finish = finish_cmrc,
                                    .suits = is_chinese,
                                    .advice = advice};

}  // namespace spanforge
