// Any bytes: a dataset or an Error{kBadData}. A dataset goes through everything that reads one:
// check, statistics, split, baselines, features; its rows, written again, give the same dataset.
// A survey reads everything that a load does. Repairs (an odd size: also the optional ones) hold,
// and a second run repairs nothing.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "spanforge/base/utf8.h"
#include "spanforge/data/baseline.h"
#include "spanforge/data/check.h"
#include "spanforge/data/convert.h"
#include "spanforge/data/repair.h"
#include "spanforge/data/rewrite.h"
#include "spanforge/data/show.h"
#include "spanforge/data/source_text.h"
#include "spanforge/data/split.h"
#include "spanforge/data/stats.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/features/summary.h"

namespace {

using namespace spanforge;

void require(bool condition) {
  if (!condition) std::abort();
}

const Tokenizer& tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::from_vocabulary(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "c", "?", "谁"}, {}, "vocabulary");
  return tokenizer;
}

void use_features(const Dataset& dataset, LabelRule rule) {
  FeatureOptions options;
  options.windows = {24, 5};
  options.on_bad_answer = BadAnswerPolicy::kDrop;
  options.label_rule = rule;
  try {
    const FeatureSet set = FeatureSet::build(dataset, tokenizer(), options);
    require(!label_summary(set).empty());
    for (size_t w = 0; w < set.size(); ++w) {
      const Window& window = set.windows()[w];
      require(window.length <= 24 && window.start_position <= window.end_position &&
              window.end_position < window.length);
      const LabelRow row = label_row(dataset, set, tokenizer(), w);
      // Under the recipe's rule the labelled tokens cover the whole answer.
      if (rule == LabelRule::kRecipe && window.end_position > 0) {
        require(row.source.find(row.answer) != std::string::npos);
      }
    }
  } catch (const Error& error) {  // the question leaves no room
    require(error.code() == ErrorCode::kBadData);
  }
}

void use(const Dataset& dataset) {
  const std::vector<const Dataset*> files = {&dataset, &dataset};
  const CheckReport report = check_datasets(files);
  require(check_verdict(report, files).has_value());  // it overlaps with itself
  check_to_json(report, files).dump();
  check_to_text(report, files);
  stats_to_json(compute_stats(dataset, &tokenizer())).dump();
  show_datasets({{"train", &dataset}}, -1);
  require(overlap_baseline(dataset).size() == dataset.examples.size());
  require(frequency_baseline(dataset, dataset).size() == dataset.examples.size());
  try {
    const SplitResult split = split_by_context(dataset, {0.3, 1});
    require(find_overlap(split.train, split.validation).normalized.contexts == 0);
  } catch (const Error& error) {  // one context only
    require(error.code() == ErrorCode::kBadData);
  }
  use_features(dataset, LabelRule::kRecipe);
  use_features(dataset, LabelRule::kRunQa);
}

// How a written answer is read again: a start of -1 means that it is not known; with an empty text
// it means that there is no answer.
bool are_read_again(const std::vector<Answer>& written, const std::vector<Answer>& read) {
  size_t next = 0;
  for (const Answer& answer : written) {
    if (answer.text.empty() && answer.answer_start == -1) continue;
    if (next == read.size() || read[next].text != answer.text) return false;
    const bool known = answer.answer_start != -1;
    if (known && read[next].answer_start != answer.answer_start) return false;
    ++next;
  }
  return next == read.size();
}

void reload(const Dataset& dataset) {
  std::string lines;
  for (const Example& example : dataset.examples) lines += flat_row(dataset, example).dump() + "\n";
  const Dataset again = parse_dataset(lines, "again");
  require(again.examples.size() == dataset.examples.size());
  for (size_t i = 0; i < dataset.examples.size(); ++i) {
    const Example &a = dataset.examples[i], &b = again.examples[i];
    require(a.id == b.id && a.question == b.question && are_read_again(a.answers, b.answers) &&
            a.title == b.title && dataset.context_of(a) == again.context_of(b));
  }
}

// Bytes that no UTF-8 text has. Their encoding is guessed, and other bytes next to them may change
// the guess.
bool is_damaged(std::string_view text) {
  const auto is_control = [](char c) {
    return c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r';
  };
  return find_invalid_utf8(text) || std::ranges::any_of(text, is_control);
}

bool reads_as_utf8(std::string_view text) {
  try {
    return read_source_text(text, "fixed.json", "").encoding == "UTF-8";
  } catch (const Error&) {
    return false;
  }
}

// Data that were read once give no error, and neither does the output of fix.
void repair(std::string_view text, const Dataset& dataset, const RepairOptions& options) {
  const RepairPlan plan = plan_repairs(dataset, options);
  plan_to_json(plan, dataset).dump();
  plan_to_text(plan, dataset);
  if (dataset.form != SourceForm::kJson || dataset.encoding != "UTF-8")
    return;  // has no such bytes
  std::string fixed;
  size_t done = 0;
  for (const ByteChange& change : find_byte_changes(text, dataset, changes_of(plan))) {
    require(done <= change.begin && change.begin < change.end);
    fixed.append(text.substr(done, change.begin - done)).append(change.bytes);
    done = change.end;
  }
  fixed += text.substr(done);
  if (is_damaged(text) && !reads_as_utf8(fixed)) return;
  const Dataset again = read_dataset_text(fixed, "fixed.json");
  require(again.examples.size() == dataset.examples.size());
  require(plan.repairs.empty() == (fixed == text));
  const RepairPlan rest = plan_repairs(again, options);
  require(rest.repairs.empty() && rest.left.size() == plan.left.size());
  // Every part of every question is what the plan says, or what it was.
  Dataset expected = dataset;
  apply_repairs(plan, expected);
  for (size_t i = 0; i < again.examples.size(); ++i) {
    const Example &now = again.examples[i], &wanted = expected.examples[i];
    require(now.id == wanted.id && now.question == wanted.question &&
            now.is_impossible == wanted.is_impossible &&
            now.answers.size() == wanted.answers.size() &&
            again.context_of(now) == expected.context_of(wanted));
    for (size_t a = 0; a < now.answers.size(); ++a) {
      require(now.answers[a].text == wanted.answers[a].text);
      // A form without starts has only the texts.
      const bool stated = now.answers[a].source != StartSource::kNoStarts;
      require(!stated || now.answers[a].answer_start == wanted.answers[a].answer_start);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Dataset dataset;
  try {
    dataset = read_dataset_text(text, "fuzzed.json");
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kBadData && error.file() == "fuzzed.json");
    return 0;
  }
  const bool asked_for = size % 2 == 1;
  repair(text, dataset, {.similar = asked_for, .min_f1 = 0.5, .trim = asked_for});
  try {
    dataset = parse_dataset(text, "fuzzed.json");
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kBadData && error.file() == "fuzzed.json");
    return 0;
  }
  use(dataset);
  reload(dataset);
  return 0;
}
