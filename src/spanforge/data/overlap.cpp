#include "spanforge/data/overlap.h"

#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/data/normalize.h"

namespace spanforge {
namespace {

// The values of one dataset as numbers. Equal values have equal numbers.
struct Values {
  std::vector<uint64_t> contexts;   // of each of Dataset::contexts
  std::vector<uint64_t> questions;  // of each example
};

class Interner {
 public:
  uint64_t operator()(const std::string& text) {
    return numbers_.try_emplace(text, numbers_.size()).first->second;
  }

 private:
  KeyedMap<std::string_view, uint64_t> numbers_;
};

template <class Number>
Values number_values(const Dataset& dataset, Number&& context_number, Number&& question_number) {
  Values values;
  values.contexts.reserve(dataset.contexts.size());
  for (const std::string& context : dataset.contexts) {
    values.contexts.push_back(context_number(context));
  }
  values.questions.reserve(dataset.examples.size());
  for (const Example& example : dataset.examples) {
    values.questions.push_back(question_number(example.question));
  }
  return values;
}

using PairSet = KeyedSet<std::pair<uint64_t, uint64_t>>;
using NumberSet = KeyedSet<uint64_t>;

struct Sets {
  NumberSet contexts, questions;
  PairSet pairs;
  Sets(const Dataset& dataset, const Values& values)
      : contexts(values.contexts.begin(), values.contexts.end()) {
    for (size_t i = 0; i < dataset.examples.size(); ++i) {
      const uint64_t context = values.contexts[dataset.examples[i].context];
      questions.insert(values.questions[i]);
      pairs.insert({context, values.questions[i]});
    }
  }
};

template <class Set>
int64_t count_shared(const Set& a, const Set& b) {
  int64_t shared = 0;
  for (const auto& value : b) shared += static_cast<int64_t>(a.count(value));
  return shared;
}

SharedCounts count_shared(const Sets& a, const Sets& b) {
  return {count_shared(a.contexts, b.contexts), count_shared(a.questions, b.questions),
          count_shared(a.pairs, b.pairs)};
}

}  // namespace

Overlap find_overlap(const Dataset& first, const Dataset& second) {
  Overlap result;
  {
    Interner contexts, questions;
    const Values a = number_values(first, contexts, questions);
    const Values b = number_values(second, contexts, questions);
    const Sets sets(first, a);
    result.exact = count_shared(sets, Sets(second, b));
    result.second_questions = static_cast<int64_t>(second.examples.size());
    for (size_t i = 0; i < second.examples.size(); ++i) {
      const uint64_t context = b.contexts[second.examples[i].context];
      result.second_questions_seen += static_cast<int64_t>(sets.questions.count(b.questions[i]));
      result.second_pairs_seen += static_cast<int64_t>(sets.pairs.count({context, b.questions[i]}));
    }
  }
  const auto hash = [](const std::string& text) { return keyed_hash(normalize_for_overlap(text)); };
  const Sets a(first, number_values(first, hash, hash));
  result.normalized = count_shared(a, Sets(second, number_values(second, hash, hash)));

  KeyedSet<std::string_view> ids;
  for (const Example& example : first.examples) ids.insert(example.id);
  for (const Example& example : second.examples) {
    result.ids += static_cast<int64_t>(ids.count(example.id));
  }
  return result;
}

std::string overlap_line(const Overlap& overlap, const std::string& first_name,
                         const std::string& second_name) {
  if (!overlap.any()) return {};
  const SharedCounts& exact = overlap.exact;
  const SharedCounts& near = overlap.normalized;
  std::string line = fmt::format(
      "overlap: {} and {} share {} contexts, {} questions and {} question+context pairs",
      first_name, second_name, exact.contexts, exact.questions, exact.pairs);
  if (near != exact) {
    line += fmt::format(" ({}, {} and {} when case, punctuation and white space are ignored)",
                        near.contexts, near.questions, near.pairs);
  }
  if (overlap.second_pairs_seen > 0) {
    line +=
        fmt::format("; {} of the {} questions of {} are also in {} with the same context",
                    overlap.second_pairs_seen, overlap.second_questions, second_name, first_name);
    if (overlap.second_is_seen()) line += ": it cannot judge a model trained on that";
  }
  return line;
}

}  // namespace spanforge
