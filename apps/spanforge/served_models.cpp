#include "served_models.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/core.h>

#include "common.h"
#include "load_model.h"
#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/formats/other_weights.h"
#include "spanforge/formats/weights.h"
#include "spanforge/io/file.h"
#include "spanforge/model/config.h"
#include "spanforge/model/int8_file.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/model_info.h"

namespace spanforge::app {
namespace {

// Adds the names and contents of a directory's files. Ignores directories in it.
void add_files(const fs::path& directory, Sha256& sum) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.is_regular_file()) files.insert(entry.path());
  }
  for (const fs::path& file : files) {
    const MappedFile mapped(file);
    sum.update(fmt::format("{} {}\n", file.filename().string(), mapped.bytes().size()));
    sum.update(mapped.bytes());
  }
}

std::string version_of(const ModelDirectory& directory) {
  Sha256 sum;
  add_files(directory.path, sum);
  if (directory.is_adapter()) add_files(directory.base, sum);
  return sum.hex().substr(0, 8);
}

}  // namespace

std::vector<ModelToServe> parse_models(const std::vector<std::string>& words) {
  std::vector<ModelToServe> models;
  for (const std::string& word : words) {
    ModelToServe model{"", word};
    const size_t equals = word.find('=');
    // An existing directory may have "=" in its name.
    if (equals != std::string::npos && equals > 0 && !fs::exists(word)) {
      model = {word.substr(0, equals), word.substr(equals + 1)};
    } else {
      fs::path path = fs::path(word).lexically_normal();
      if (!path.has_filename()) path = path.parent_path();
      model.name = path.filename().string();
      if (model.name == "." || model.name == "..") model.name = fs::canonical(word).filename();
    }
    const bool taken = std::any_of(models.begin(), models.end(), [&](const ModelToServe& other) {
      return other.name == model.name;
    });
    if (taken) {
      throw Error(ErrorCode::kUsage, {.parameter = "model"},
                  fmt::format("two models are named \"{}\"; name them: --model NAME=DIR",
                              quote_for_message(model.name)));
    }
    if (model.name.empty() || model.source.empty()) {
      throw Error(ErrorCode::kUsage, {.parameter = "model"}, "must be DIR or NAME=DIR");
    }
    models.push_back(std::move(model));
  }
  return models;
}

serve::ModelMemory estimate_served_model(const ModelToServe& model, const LoadChoices& choices,
                                         int64_t batch_tokens) {
  const ModelDirectory directory = resolve_model(model.source);
  const ModelConfig config = ModelConfig::from_directory(directory.base);
  const int64_t tokens = std::max<int64_t>(batch_tokens, config.longest_input());
  const MemoryEstimate memory = estimate_answering_memory(config, choices.precision, tokens);
  if (is_int8_directory(directory.base)) {
    return {static_cast<int64_t>(fs::file_size(directory.base / kInt8WeightFile)),
            memory.activations};
  }
  return {memory.weights + memory.shadow, memory.activations};
}

serve::ModelPtr load_served_model(const ModelToServe& model, const LoadChoices& choices) {
  const ModelDirectory directory = resolve_model(model.source);
  refuse_other_weights(directory.base);
  if (choices.verify) verify_model(directory);
  std::string version = version_of(directory);  // before loading maps the weights as well
  LoadReport report;
  Pipeline pipeline =
      Pipeline::from_directory(directory, choices.precision, &report, choices.threads);
  note_loaded(directory, report);
  pipeline.answer({{"Is it warm?", "It is warm.", ""}});
  return std::make_shared<const serve::ServedModel>(
      serve::ServedModel{model.name, std::move(version), std::move(pipeline)});
}

}  // namespace spanforge::app
