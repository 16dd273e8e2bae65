// Runs the engine for oracle_model.py.
//   model_driver run DIR WINDOWS.json OUT.json [GRADIENTS.safetensors]
//     WINDOWS: {"windows": [{"input_ids", "token_type_ids", "start", "end"}...], "batch": n,
//     "bf16": bool}. OUT: logits of each window, losses, what loading noticed. With a gradients
//     file: gradients of the mean loss over windows, batches accumulated (dropout is
//     config.json's).
//   model_driver copy DIR OUT_DIR       loads and saves.
//   model_driver config FILE            reads a config.json and writes it to standard output.

#include <fstream>
#include <iostream>

#include "spanforge/base/file.h"
#include "spanforge/base/json.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/model.h"

namespace {

using namespace spanforge;

PackedBatch pack(const Json& windows, size_t first, size_t last) {
  PackedBatch batch;
  batch.cu_seqlens.push_back(0);
  for (size_t w = first; w < last; ++w) {
    const auto ids = windows[w]["input_ids"].get<std::vector<int32_t>>();
    const auto types = windows[w]["token_type_ids"].get<std::vector<int32_t>>();
    batch.input_ids.insert(batch.input_ids.end(), ids.begin(), ids.end());
    batch.token_type_ids.insert(batch.token_type_ids.end(), types.begin(), types.end());
    for (size_t t = 0; t < ids.size(); ++t) batch.position_ids.push_back(static_cast<int32_t>(t));
    batch.cu_seqlens.push_back(batch.token_count());
    batch.window_ids.push_back(static_cast<int32_t>(w));
    batch.start_positions.push_back(windows[w]["start"].get<int32_t>());
    batch.end_positions.push_back(windows[w]["end"].get<int32_t>());
  }
  return batch;
}

void write_gradients(const QuestionAnsweringModel& model, const std::string& path) {
  std::vector<StoredTensor> tensors;
  for (const Parameter& parameter : model.parameters()) {
    const Tensor g = model.gradients(parameter);
    tensors.push_back({.name = parameter.name,
                       .type = StoredType::kF32,
                       .shape = parameter.shape,
                       .bytes = {reinterpret_cast<const char*>(g.as<float>()),
                                 static_cast<size_t>(g.size()) * sizeof(float)}});
  }
  write_safetensors(path, std::move(tensors));
}

void run(const std::string& directory, const std::string& windows_file, const std::string& out_file,
         const char* gradients_file) {
  const Json request = parse_json_file(windows_file, ErrorCode::kBadData);
  const Json& windows = request["windows"];
  const size_t at_once = request.value("batch", windows.size());
  LoadReport report;
  QuestionAnsweringModel model = QuestionAnsweringModel::load(directory, /*head_seed=*/1, &report);
  if (request.value("bf16", false)) model.set_precision(Precision::kBF16);
  if (gradients_file != nullptr) model.prepare_training();
  Workspace workspace;
  Json out = {{"unused", report.unused}, {"initialized", report.initialized}};
  out["unused_message"] = unused_weights_message(report, model.config(), directory).value_or("");
  out["new_message"] = new_weights_message(report, model.config(), directory).value_or("");
  for (size_t first = 0; first < windows.size(); first += at_once) {
    const PackedBatch batch = pack(windows, first, std::min(first + at_once, windows.size()));
    std::vector<float> memory(2 * batch.input_ids.size());
    const Tensor logits = make_tensor(memory.data(), batch.token_count(), 2);
    model.predict(batch, workspace, logits);
    for (int32_t w = 0; w < batch.window_count(); ++w) {
      Json start = Json::array(), end = Json::array();
      for (int32_t t = batch.cu_seqlens[w]; t < batch.cu_seqlens[w + 1]; ++t) {
        start.push_back(memory[2 * t]);
        end.push_back(memory[2 * t + 1]);
      }
      out["logits"].push_back({{"start", start}, {"end", end}});
    }
    if (gradients_file == nullptr) continue;
    std::vector<double> losses;
    model.forward_backward(batch, {}, 1.0f / static_cast<float>(windows.size()), workspace,
                           &losses);
    for (const double loss : losses) out["losses"].push_back(loss);
  }
  if (gradients_file != nullptr) write_gradients(model, gradients_file);
  write_file_atomic(out_file, out.dump());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> args(argv + 1, argv + argc);
    if (args.size() >= 4 && args[0] == "run") {
      run(args[1], args[2], args[3], args.size() > 4 ? argv[5] : nullptr);
    } else if (args.size() == 3 && args[0] == "copy") {
      QuestionAnsweringModel::load(args[1], /*head_seed=*/1).save(args[2]);
    } else if (args.size() == 2 && args[0] == "config") {
      std::cout << ModelConfig::from_json_text(read_file(args[1]), args[1]).to_json_text();
    } else {
      std::cerr << "usage: model_driver run|copy|config ...\n";
      return 2;
    }
    return 0;
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return exit_code(error.code());
  }
}
