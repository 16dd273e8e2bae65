#include "load_model.h"

#include "option_value.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/model/load_report.h"
#include "spanforge/ops/gemm.h"

namespace spanforge::app {

Precision resolve_precision(AutoBool bf16) {
  bool use = bf16 == AutoBool::kTrue;
  if (bf16 == AutoBool::kAuto) {
    use = ops::bf16_is_fast();
    note(fmt::format("bf16 auto: computing in {} ({})", use ? "bf16" : "fp32",
                     ops::instruction_set()));
  }
  return use ? Precision::kBF16 : Precision::kF32;
}

namespace {

void verify_directory(const std::filesystem::path& directory) {
  if (!has_manifest(directory)) {
    throw Error(ErrorCode::kBadModel, directory.string(),
                fmt::format("has no {} to verify it with", kManifestName));
  }
  if (const auto difference = find_manifest_difference(directory)) {
    throw Error(
        ErrorCode::kBadModel, directory.string(),
        fmt::format("is not as spanforge saved it: {}; without --verify it is used as it is",
                    *difference));
  }
}

}  // namespace

void verify_model(const ModelDirectory& model) {
  verify_directory(model.path);
  if (model.is_adapter() && has_manifest(model.base)) verify_directory(model.base);
}

void note_loaded(const ModelDirectory& model, const LoadReport& report) {
  for (const std::string& line : report.notes) note(line);
  if (const auto changes = describe_changes(model.path)) note(*changes);
  if (!model.is_adapter()) return;
  if (const auto changes = describe_changes(model.base)) note(*changes);
}

AnsweringModel load_trained_model(const ModelDirectory& directory, const std::string& source,
                                  Precision precision) {
  LoadReport report;
  AnsweringModel model = AnsweringModel::load(directory, source, precision, &report);
  note_loaded(directory, report);
  if (const auto message = unused_weights_message(report, model.config(), source)) {
    for (const std::string& line : message_lines(*message)) note(line);
  }
  return model;
}

}  // namespace spanforge::app
