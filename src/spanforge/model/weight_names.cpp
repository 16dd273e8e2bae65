#include "spanforge/model/weight_names.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

// Base models of transformers whose modules have BERT's names but compute something else. BERT is
// not in the list, because scripts call any encoder "bert": if all shapes fit config.json, it is
// the model of config.json.
constexpr std::array<std::string_view, 24> kFamilies = {
    "albert",     "big_bird", "camembert",  "convbert", "data2vec_text", "deberta",
    "distilbert", "electra",  "ernie",      "esm",      "flaubert",      "funnel",
    "layoutlm",   "lxmert",   "longformer", "luke",     "mobilebert",    "mpnet",
    "nezha",      "rembert",  "roberta",    "roformer", "splinter",      "xlm"};

void replace_end(std::string& name, std::string_view old_end, std::string_view new_end) {
  if (!name.ends_with(old_end)) return;
  name.resize(name.size() - old_end.size());
  name += new_end;
}

// Segments that may occur anywhere in a name and are not modules of a model.
constexpr std::string_view kWrappers[] = {"_orig_mod.", "_fsdp_wrapped_module.",
                                          "_checkpoint_wrapped_module."};

std::string modern_name(std::string_view stored) {
  std::string name(stored);
  for (const std::string_view wrapper : kWrappers) {
    for (size_t at = name.find(wrapper); at != name.npos; at = name.find(wrapper, at)) {
      if (at == 0 || name[at - 1] == '.') {
        name.erase(at, wrapper.size());
      } else {
        at += wrapper.size();
      }
    }
  }
  replace_end(name, "LayerNorm.gamma", "LayerNorm.weight");
  replace_end(name, "LayerNorm.beta", "LayerNorm.bias");
  return name;
}

std::string_view last_segment(std::string_view prefix) {
  if (prefix.empty()) return prefix;
  prefix.remove_suffix(1);
  return prefix.substr(prefix.rfind('.') + 1);
}

bool is_other_family(std::string_view prefix, const EncoderSpec& spec) {
  return !prefix.ends_with(spec.base_prefix) &&
         std::find(kFamilies.begin(), kFamilies.end(), last_segment(prefix)) != kFamilies.end();
}

// The prefixes of the word embeddings' names.
std::set<std::string> find_prefixes(const std::vector<StoredTensor>& tensors,
                                    const EncoderSpec& spec) {
  const std::string marker = std::string(spec.embeddings.tables.front().module) + ".weight";
  std::set<std::string> found;
  for (const StoredTensor& tensor : tensors) {
    const std::string name = modern_name(tensor.name);
    if (!name.ends_with(marker)) continue;
    const std::string prefix = name.substr(0, name.size() - marker.size());
    if (prefix.empty() || prefix.back() == '.') found.insert(prefix);
  }
  return found;
}

bool is_standard(const std::set<std::string>& prefixes, const EncoderSpec& spec) {
  return prefixes.count("") > 0 || prefixes.count(std::string(spec.base_prefix)) > 0;
}

}  // namespace

WeightNames::WeightNames(const std::vector<StoredTensor>& tensors, const EncoderSpec& spec,
                         const std::string& place)
    : spec_(spec) {
  for (const std::string_view wrapper : kWrappers) {
    const bool there = std::any_of(tensors.begin(), tensors.end(), [&](const StoredTensor& tensor) {
      return tensor.name.find(wrapper) != tensor.name.npos;
    });
    if (there) wrappers_.push_back(std::string(wrapper));
  }
  const std::set<std::string> prefixes = find_prefixes(tensors, spec);
  if (prefixes.empty() || is_standard(prefixes, spec)) return;  // nothing to find or to remove
  if (prefixes.size() > 1) {
    throw Error(
        ErrorCode::kBadModel, place,
        fmt::format(
            "holds {} encoders, with the prefixes \"{}\" and \"{}\": save the weights of one of "
            "them",
            prefixes.size(), quote_for_message(*prefixes.begin()),
            quote_for_message(*std::next(prefixes.begin()))));
  }
  prefix_ = *prefixes.begin();
  if (is_other_family(prefix_, spec)) {
    throw Error(
        ErrorCode::kBadModel, place,
        fmt::format("its weights are those of another family than {}: their names begin with "
                    "\"{}\"; give the model's own config.json",
                    spec.model_type, quote_for_message(prefix_)));
  }
  const std::string_view base = spec.base_prefix;
  const bool has_base =
      prefix_.ends_with(base) &&
      (prefix_.size() == base.size() || prefix_[prefix_.size() - base.size() - 1] == '.');
  if (has_base) prefix_.resize(prefix_.size() - base.size());
}

std::vector<std::string> WeightNames::taken_off() const {
  std::vector<std::string> all = wrappers_;
  if (!prefix_.empty()) all.push_back(prefix_);
  return all;
}

std::string WeightNames::clean(std::string_view stored) const {
  const std::string name = modern_name(stored);
  if (prefix_.empty()) return name;
  if (name.starts_with(prefix_)) return name.substr(prefix_.size());
  for (const std::string_view module : spec_.head.modules()) {
    const size_t at = name.rfind(std::string(module) + ".");
    if (at == name.npos || (at > 0 && name[at - 1] != '.')) continue;
    if (std::string_view(prefix_).starts_with(std::string_view(name).substr(0, at))) {
      return name.substr(at);
    }
  }
  return name;
}

bool names_fit(const std::vector<StoredTensor>& tensors, const EncoderSpec& spec) {
  const std::set<std::string> prefixes = find_prefixes(tensors, spec);
  if (is_standard(prefixes, spec)) return true;
  return prefixes.size() == 1 && !is_other_family(*prefixes.begin(), spec);
}

}  // namespace spanforge
