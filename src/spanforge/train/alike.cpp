#include "spanforge/train/alike.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/parallel/together.h"

namespace spanforge {
namespace {

// Of model and data the contents count, not the names. Rank 0 alone writes.
constexpr std::array<std::string_view, 7> kMayDiffer = {
    "model", "train", "validation", "output", "logging_dir", "report_to", "threads"};

Json fingerprint(const Setup& setup) {
  Json options = arguments_json(setup.arguments);
  for (const std::string_view name : kMayDiffer) options.erase(name);
  Json data = Json::object(), start = Json::object();
  for (const auto& [option, file] : setup.data_files) data[option] = file.sha256;
  const Tensor weights = setup.model->all_weights();
  start["model"] = sha256_hex(
      {static_cast<const char*>(weights.data), static_cast<size_t>(weights.cols) * sizeof(float)});
  if (setup.checkpoint && has_manifest(setup.checkpoint->directory)) {
    start["resume_from_checkpoint"] =
        sha256_hex(read_file(setup.checkpoint->directory / kManifestName));
  }
  return {{"data", std::move(data)}, {"options", std::move(options)}, {"start", std::move(start)}};
}

// The first key whose values differ; "": none.
std::string first_difference(const Json& one, const Json& other) {
  for (const Json* each : {&one, &other}) {
    for (const auto& [key, value] : each->items()) {
      const Json *a = one.find(key), *b = other.find(key);
      if (a == nullptr || b == nullptr || !(*a == *b)) return std::string(key);
    }
  }
  return "";
}

std::string text_of(const Json& object, const std::string& key) {
  const Json* value = object.find(key);
  return value == nullptr ? "not set" : value->dump();
}

}  // namespace

void require_alike(Group& group, const Setup& setup) {
  if (group.size() == 1) return;
  std::string mine;
  work_together(group, [&] { mine = fingerprint(setup).dump(); });  // hashing takes a while
  const std::vector<std::string> all = gather_texts(group, mine);
  const auto rank = find_other_rank(all);
  if (!rank) return;
  const Json one = parse_json(all.front(), "rank 0", ErrorCode::kInternal);
  const Json two = parse_json(all[*rank], "another rank", ErrorCode::kInternal);
  // Options that follow from the data differ with them; new weights follow from an option.
  for (const char* part : {"data", "options", "start"}) {
    const Json &theirs = *two.find(part), &leads = *one.find(part);
    const std::string name = first_difference(leads, theirs);
    if (name.empty()) continue;
    const std::string values =
        part == std::string_view("options")
            ? fmt::format("is {} on rank {} and {} on rank 0", text_of(theirs, name), *rank,
                          text_of(leads, name))
            : fmt::format("has other contents on rank {} than on rank 0 (SHA-256 {} and {})", *rank,
                          text_of(theirs, name).substr(1, 12), text_of(leads, name).substr(1, 12));
    throw Error(ErrorCode::kUsage, {.parameter = name}, values);
  }
}

}  // namespace spanforge
