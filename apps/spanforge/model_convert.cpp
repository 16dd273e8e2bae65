#include "command.h"
#include "common.h"
#include "data_input.h"
#include "load_model.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/base/json.h"
#include "spanforge/data/soundness.h"
#include "spanforge/evaluation/int8_conversion.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/weights.h"
#include "spanforge/io/file.h"
#include "spanforge/io/input_file.h"
#include "spanforge/io/json_file.h"
#include "spanforge/io/model_files.h"
#include "spanforge/io/staging.h"
#include "spanforge/model/config.h"
#include "spanforge/model/weight_io.h"
#include "spanforge/text/tokenizer.h"
#include "start_threads.h"

namespace spanforge::app {
namespace {

constexpr const char* kConfigFile = "config.json";

bool is_weight_file(const fs::path& file) {
  const std::string extension = file.extension().string();
  const std::string name = file.filename().string();
  return extension == ".bin" || extension == ".safetensors" || extension == ".h5" ||
         extension == ".msgpack" || name.ends_with(".index.json") || name.starts_with(".");
}

struct ModelConvertOptions {
  std::string model, output, calibrate, validation;
  DataInput input;
  bool int8 = false, merge_lora = false;
  Int8Options quantization;
  int32_t threads = 0;
};

void declare(OptionTable& table, ModelConvertOptions& o) {
  table(kModelOption, o.model);
  table({"output", "directory to make", "", "output_dir"}, o.output);
  table.add_switch({"int8", "make an int8 model, for answering (docs/int8.md)", ""}, o.int8);
  table.add_switch(
      {"merge_lora", "--model is a LoRA adapter: write it and its base as one whole model", ""},
      o.merge_lora);
  table({"calibrate", "with --int8: data like those the model will answer, e.g. the training data",
         ""},
        o.calibrate);
  table({"validation", "with --int8: data both models are scored on", ""}, o.validation);
  table({"max_drop", "with --int8: points of exact match or F1 that may be lost", ">= 0"},
        o.quantization.max_drop);
  table({"calibration_windows", "with --int8: windows of the calibration data to look at", "> 0"},
        o.quantization.windows);
  table({"calibration_share", "with --int8: share of a layer's inputs that its range holds", "> 0"},
        o.quantization.share);
  o.input.declare(table);
  table(kThreadsOption, o.threads);
}

void check(const OptionTable& table, const ModelConvertOptions& o) {
  table.require("model");
  table.require("output");
  if (o.int8) {
    table.require("calibrate");
    table.require("validation");
  }
  for (const char* other : {"calibrate", "validation", "max_drop", "calibration_windows",
                            "calibration_share", "columns", "encoding"}) {
    if (o.int8 || !table.given(other)) continue;
    throw Error(ErrorCode::kUsage, {.parameter = other}, "is for --int8");
  }
  if (!(o.quantization.max_drop >= 0)) {
    throw Error(ErrorCode::kUsage, {.parameter = "max_drop"}, "must not be negative");
  }
  if (o.quantization.windows < 1) {
    throw Error(ErrorCode::kUsage, {.parameter = "calibration_windows"}, "must be at least 1");
  }
  if (!(o.quantization.share > 0 && o.quantization.share <= 1)) {
    throw Error(ErrorCode::kUsage, {.parameter = "calibration_share"},
                "must be above 0 and at most 1");
  }
}

// The rest of a model's directory, except the manifest, which lists the old weights.
void copy_other_files(const fs::path& source, DirectoryWriter& writer) {
  for (const auto& entry : fs::directory_iterator(source)) {
    if (!entry.is_regular_file() || is_weight_file(entry.path()) ||
        entry.path().filename() == kManifestName) {
      continue;
    }
    writer.write(entry.path().filename(), read_file(entry.path()));
  }
}

// The directory of --model. It must be an adapter if and only if --merge-lora is given.
ModelDirectory resolve_source(const ModelConvertOptions& o) {
  ModelDirectory source = resolve_model(o.model);
  if (source.is_adapter() == o.merge_lora) return source;
  throw Error(
      ErrorCode::kUsage, {.parameter = "merge_lora"},
      source.is_adapter()
          ? fmt::format("is needed: {} is a LoRA adapter, but only whole models are converted",
                        o.model)
          : fmt::format("is for LoRA adapters; {} is a whole model already", o.model));
}

// The files of a merged model other than its network: the adapter's.
void write_adapters_files(const ModelDirectory& source, DirectoryWriter& writer) {
  Tokenizer::from_directory(source.tokenizer()).save(writer);
  if (path_exists(source.path / kAnswerSettingsFile)) {
    writer.write(kAnswerSettingsFile, read_file(source.path / kAnswerSettingsFile));
  }
}

// A config.json for Transformers, which needs a model_type, if the source's has none.
void complete_config(const fs::path& source, DirectoryWriter& writer) {
  const fs::path file = ModelConfig::file_in(source);
  if (!path_exists(file)) return;
  Json json = parse_json_file(file, ErrorCode::kBadModel);
  if (!json.is_object() || json.contains("model_type")) return;
  const ModelConfig config = ModelConfig::from_directory(source);
  json["model_type"] = config.model_type;
  writer.write_json(kConfigFile, json);
  note(*config.note());
}

void convert_int8(const ModelConvertOptions& o) {
  require_distinct_inputs({o.calibrate, o.validation});
  const ModelDirectory source = resolve_source(o);
  const Dataset calibration = o.input.load(o.calibrate);
  const Dataset validation = o.input.load(o.validation);
  require_scorable(validation, false);
  require_references(validation);
  NewDirectory output(o.output, kConfigFile);
  Int8Scores scores;
  output.fill([&](DirectoryWriter& writer) {
    if (source.is_adapter()) {
      write_adapters_files(source, writer);
      writer.write(kConfigFile, read_file(ModelConfig::file_in(source.base)));
    } else {
      copy_other_files(source.path, writer);
    }
    complete_config(source.base, writer);
    scores = convert_to_int8(source, o.model, calibration, validation, o.quantization, writer);
  });
  output.commit();
  emit("{}: int8; on {} validation questions exact {:.2f} -> {:.2f}, f1 {:.2f} -> {:.2f}\n",
       o.output, scores.questions, scores.before.exact, scores.after.exact, scores.before.f1,
       scores.after.f1);
}

void merge_lora(const ModelConvertOptions& o, const ModelDirectory& source) {
  LoadReport report;
  const QuestionAnsweringModel model = QuestionAnsweringModel::load(source, 0, &report);
  NewDirectory output(o.output, kConfigFile);
  output.fill([&](DirectoryWriter& writer) {
    model.save(writer);
    write_adapters_files(source, writer);
  });
  output.commit();
  note_loaded(source, report);
  emit("{}: {} and its adapter {} as one model\n", o.output, source.base.string(), o.model);
}

void convert_format(const ModelConvertOptions& o, const fs::path& source) {
  const WeightFiles weights(source);
  std::optional<std::string> weights_line;
  const std::vector<StoredTensor> tensors = tensors_without_prefix(weights, weights_line);
  NewDirectory output(o.output, kConfigFile);
  output.fill([&](DirectoryWriter& writer) {
    write_safetensors(writer.create("model.safetensors"), tensors);
    copy_other_files(source, writer);
    complete_config(source, writer);
  });
  output.commit();
  LoadReport report;
  if (weights_line) report.notes.push_back(*weights_line);
  note_loaded(source, report);
  emit("{}: {} tensors of {} as model.safetensors, and the other files\n", o.output,
       weights.tensors().size(), weights.path().filename().string());
}

}  // namespace

int run_model_convert(const Arguments& arguments) {
  ModelConvertOptions o;
  OptionTable table;
  declare(table, o);
  if (!table.parse(arguments)) return 0;
  check(table, o);
  start_threads(o.threads);
  if (o.int8) return convert_int8(o), 0;
  const ModelDirectory source = resolve_source(o);
  o.merge_lora ? merge_lora(o, source) : convert_format(o, source.path);
  return 0;
}

}  // namespace spanforge::app
