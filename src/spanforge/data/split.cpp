#include "spanforge/data/split.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/base/keyed_hash.h"
#include "spanforge/data/normalize.h"

namespace spanforge {
namespace {

// Contexts with the same normalised text.
struct Group {
  uint64_t rank = 0;  // hash of text and seed
  std::string text;   // normalised; the order of equal hashes
  int64_t questions = 0;
  bool validation = false;
};

// How many groups validation takes, so that its number of questions is nearest to the wish.
size_t count_taken(const std::vector<const Group*>& order, double wish) {
  size_t best = 1;
  int64_t taken = 0;
  double best_distance = INFINITY;
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    taken += order[i]->questions;
    const double distance = std::abs(static_cast<double>(taken) - wish);
    if (distance >= best_distance) break;
    best_distance = distance;
    best = i + 1;
  }
  return best;
}

}  // namespace

SplitResult split_by_context(const Dataset& dataset, const SplitOptions& options) {
  if (!(options.validation_share > 0 && options.validation_share < 1)) {
    throw Error(ErrorCode::kUsage, {.parameter = "validation"},
                fmt::format("the share {} is not between 0 and 1", options.validation_share));
  }
  KeyedMap<std::string, Group> groups;
  std::vector<Group*> group_of(dataset.contexts.size(), nullptr);
  for (const Example& example : dataset.examples) {
    Group*& group = group_of[example.context];
    if (group == nullptr) {
      const std::string text = normalize_for_overlap(dataset.context_of(example));
      group = &groups[text];
      group->text = text;
      group->rank = stable_hash(text, options.seed);
    }
    ++group->questions;
  }
  if (groups.size() < 2) {
    throw Error(ErrorCode::kBadData, dataset.file.string(),
                "all questions are about one context; two parts need two contexts");
  }
  std::vector<const Group*> order;
  for (const auto& [text, group] : groups) order.push_back(&group);
  std::sort(order.begin(), order.end(), [](const Group* a, const Group* b) {
    return a->rank != b->rank ? a->rank < b->rank : a->text < b->text;
  });
  const double wish = options.validation_share * static_cast<double>(dataset.examples.size());
  const size_t taken = count_taken(order, wish);
  for (size_t i = 0; i < taken; ++i) groups[order[i]->text].validation = true;
  std::vector<size_t> train, validation;
  for (size_t i = 0; i < dataset.examples.size(); ++i) {
    const Group& group = *group_of[dataset.examples[i].context];
    (group.validation ? validation : train).push_back(i);
  }
  return {select_examples(dataset, train), select_examples(dataset, validation)};
}

}  // namespace spanforge
