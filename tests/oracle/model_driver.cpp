// Runs the engine for oracle_model.py.
//   model_driver run DIR WINDOWS.json OUT.json [GRADIENTS.safetensors]
//     WINDOWS: {"windows": [{"input_ids", "token_type_ids", "start", "end"}...], "batch": n,
//     "bf16": bool}. OUT: logits of each window, losses, what loading noticed. With a gradients
//     file: gradients of the mean loss over windows, batches accumulated (dropout is
//     config.json's).
//   model_driver masks DIR WINDOWS.json OUT.safetensors
//     The dropout masks of "run" with a gradients file: tensors w.n, n counting the sites that drop
//     something in the order of the forward pass; 1 keeps. Hidden ones are [T,H], attention's
//     [A,T,T], an adapter's those of its input.
//   model_driver copy DIR OUT_DIR       loads and saves.
//   model_driver config FILE            reads a config.json and writes it to standard output.

#include <algorithm>
#include <deque>
#include <fstream>
#include <iostream>

#include "spanforge/base/json.h"
#include "spanforge/base/random.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/file.h"
#include "spanforge/io/json_file.h"
#include "spanforge/model/adapter_file.h"
#include "spanforge/model/dropout_plan.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/model.h"
#include "spanforge/model/model_directory.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/ops/dropout_bits.h"

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

// A model as in training: an adapter stays separate from its base.
struct Trained {
  explicit Trained(const std::string& name) : directory(open_model_directory(name, nullptr)) {
    if (!directory.is_adapter()) return;
    learning.lora = read_adapter_lora(directory.path, ModelConfig::from_directory(directory.base));
  }
  QuestionAnsweringModel load(LoadReport* report = nullptr) const {
    return QuestionAnsweringModel::load(directory, /*head_seed=*/1, report, learning);
  }

  ModelDirectory directory;
  Learning learning;
};

void write_gradients(const QuestionAnsweringModel& model, const std::string& path) {
  std::vector<StoredTensor> tensors;
  for (const Parameter& parameter : model.parameters()) {
    if (!parameter.trainable) continue;
    const Tensor g = model.gradients(parameter);
    tensors.push_back({.name = parameter.name,
                       .type = StoredType::kF32,
                       .shape = parameter.shape,
                       .bytes = {reinterpret_cast<const char*>(g.as<float>()),
                                 static_cast<size_t>(g.size()) * sizeof(float)}});
  }
  write_safetensors(AtomicFile(path), std::move(tensors));
}

void run(const std::string& directory, const std::string& windows_file, const std::string& out_file,
         const char* gradients_file) {
  const Json request = parse_json_file(windows_file, ErrorCode::kBadData);
  const Json& windows = request["windows"];
  const size_t at_once = request.value("batch", windows.size());
  LoadReport report;
  QuestionAnsweringModel model = Trained(directory).load(&report);
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
    model.forward_backward(
        batch,
        {.gradient_scale = 1.0f / static_cast<float>(windows.size()), .window_losses = &losses},
        workspace);
    for (const double loss : losses) out["losses"].push_back(loss);
  }
  if (gradients_file != nullptr) write_gradients(model, gradients_file);
  write_file_atomic(out_file, out.dump());
}

void masks(const std::string& directory, const std::string& windows_file,
           const std::string& out_file) {
  const Json windows = parse_json_file(windows_file, ErrorCode::kBadData)["windows"];
  const Trained model(directory);
  const ModelConfig config = ModelConfig::from_directory(model.directory.base);
  const EncoderSpec& spec = encoder_spec(config.model_type, ErrorCode::kBadModel, directory);
  const ParameterTable table = build_parameter_table(spec, config, model.learning);
  std::deque<std::vector<float>> memory;
  std::vector<StoredTensor> tensors;
  for (size_t w = 0; w < windows.size(); ++w) {
    const PackedBatch batch = pack(windows, w, w + 1);
    const std::vector<uint64_t> row_keys = dropout_row_keys(batch);
    const DropoutPlan plan(spec, config, table.lora.dropout,
                           combine(DropoutSeeds{}.seed, DropoutSeeds{}.step), row_keys);
    const int64_t length = batch.token_count();
    int64_t count = 0;
    const auto add_mask = [&](const ops::Dropout& dropout, std::vector<int64_t> shape) {
      if (!dropout.active()) return;
      const bool is_attention = shape.size() == 3;
      const int64_t rows = is_attention ? shape[1] : shape[0];
      std::vector<float>& mask = memory.emplace_back();
      for (int32_t head = 0; head < (is_attention ? config.num_attention_heads : 1); ++head) {
        for (int64_t t = 0; t < rows; ++t) {
          for (int64_t c = 0; c < shape.back(); ++c) {
            const uint32_t column =
                is_attention ? ops::attention_column(head, c) : static_cast<uint32_t>(c);
            mask.push_back(
                ops::dropout_keeps(dropout, dropout.row_keys[static_cast<size_t>(t)], column));
          }
        }
      }
      tensors.push_back(
          {.name = std::to_string(w) + "." + std::to_string(count++),
           .type = StoredType::kF32,
           .shape = std::move(shape),
           .bytes = {reinterpret_cast<const char*>(mask.data()), mask.size() * sizeof(float)}});
    };
    const auto add = [&](int32_t layer, DropoutSite site, std::vector<int64_t> shape) {
      add_mask(plan.at(layer, site), std::move(shape));
    };
    const auto add_adapters = [&](int32_t layer, std::vector<AdapterPart<Slot>> adapters) {
      std::sort(adapters.begin(), adapters.end(),
                [](const auto& a, const auto& b) { return a.site < b.site; });
      for (const AdapterPart<Slot>& adapter : adapters) {
        add_mask(plan.at_adapter(layer, DropoutSite::kAdapter, adapter.site),
                 {length, adapter.a.cols});
      }
    };
    const int64_t hidden = config.hidden_size;
    const bool first = spec.embeddings.projected_before_norm;
    if (first) add_adapters(config.num_hidden_layers, table.parts.projection_adapters);
    add(0, DropoutSite::kEmbeddings, {length, first ? hidden : spec.width(config)});
    if (!first) add_adapters(config.num_hidden_layers, table.parts.projection_adapters);
    const RelativeForm form = spec.relative_form(config);
    for (int32_t layer = 0; layer < config.num_hidden_layers; ++layer) {
      const BlockPart<Slot>& block = table.parts.blocks[spec.block_of(layer, config)];
      const auto& adapters = block.adapters;
      const auto of = [&](BlockLinear linear) { return adapters[static_cast<size_t>(linear)]; };
      add_adapters(layer, of(BlockLinear::kQkv));
      if (form.kind == RelativeKind::kProjected) {
        add(layer, DropoutSite::kDistances, {form.rows, hidden});
        const auto add_projections = [&](const std::vector<AdapterPart<Slot>>& parts) {
          for (const AdapterPart<Slot>& adapter : parts) {
            if (adapter.first_output == 2 * hidden) continue;  // of values
            add_mask(plan.at_adapter(layer, DropoutSite::kDistanceAdapter, adapter.site),
                     {form.rows, adapter.a.cols});
          }
        };
        auto own = of(BlockLinear::kQkv);
        std::sort(own.begin(), own.end(),
                  [](const auto& a, const auto& b) { return a.site < b.site; });
        if (!form.projects_itself) add_projections(own);
        for (const auto& parts : block.distance_adapters) add_projections(parts);
      }
      add(layer, DropoutSite::kAttention, {config.num_attention_heads, length, length});
      add_adapters(layer, of(BlockLinear::kAttentionOutput));
      add(layer, DropoutSite::kAttentionOutput, {length, hidden});
      add_adapters(layer, of(BlockLinear::kIntermediate));
      add(layer, DropoutSite::kInner, {length, config.intermediate_size});
      add_adapters(layer, of(BlockLinear::kOutput));
      add(layer, DropoutSite::kOutput, {length, hidden});
    }
    add(0, DropoutSite::kHead, {length, hidden});
  }
  write_safetensors(AtomicFile(out_file), std::move(tensors));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> args(argv + 1, argv + argc);
    if (args.size() >= 4 && args[0] == "run") {
      run(args[1], args[2], args[3], args.size() > 4 ? argv[5] : nullptr);
    } else if (args.size() == 4 && args[0] == "masks") {
      masks(args[1], args[2], args[3]);
    } else if (args.size() == 3 && args[0] == "copy") {
      spanforge::create_directories(args[2]);
      DirectoryWriter writer(args[2]);
      Trained(args[1]).load().save(writer);
    } else if (args.size() == 2 && args[0] == "config") {
      std::cout << ModelConfig::from_json_text(read_file(args[1]), args[1]).to_json_text();
    } else {
      std::cerr << "usage: model_driver run|masks|copy|config ...\n";
      return 2;
    }
    return 0;
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return exit_code(error.code());
  }
}
