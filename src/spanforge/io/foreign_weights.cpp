#include "spanforge/io/foreign_weights.h"

#include <vector>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

constexpr const char* kByTransformers =
    "convert with transformers 4: BertForPreTraining.from_pretrained({}).save_pretrained(DIR)";

struct Kind {
  std::string_view begin, end;  // of the file's name
  std::string_view what;        // after "holds NAME, "
  std::string way;
};

// A name may match several rows; the first one counts.
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"adapter_model.", "", "a LoRA adapter's (PEFT) without its adapter_config.json",
       "put that file next to it: it names the model"},
      {"tf_model", ".h5", "TensorFlow weights",
       fmt::format(kByTransformers, "\"DIR\", from_tf=True")},
      {"", ".h5", "Keras weights", fmt::format(kByTransformers, "\"DIR\", from_tf=True")},
      {"", ".keras", "a Keras model", "get the weights for PyTorch that it was made from"},
      {"", ".index", "a TensorFlow checkpoint",
       fmt::format(kByTransformers,
                   "\"DIR/NAME\", from_tf=True, "
                   "config=BertConfig.from_json_file(\"bert_config.json\")")},
      {"", ".data-00000-of-00001", "a TensorFlow checkpoint's data without its .index file",
       "get that file, too"},
      {"saved_model", ".pb", "a TensorFlow program (SavedModel)",
       "get the weights for PyTorch that it was made from"},
      {"", ".pb", "a TensorFlow program", "get the weights for PyTorch that it was made from"},
      {"", ".tflite", "a TensorFlow Lite program", "get the weights that it was made from"},
      {"flax_model", ".msgpack", "Flax weights",
       fmt::format(kByTransformers, "\"DIR\", from_flax=True")},
      {"", ".msgpack", "Flax weights", fmt::format(kByTransformers, "\"DIR\", from_flax=True")},
      {"", ".onnx", "an ONNX program", "get the weights for PyTorch that it was exported from"},
      {"", ".gguf", "weights for llama.cpp (GGUF)", "get the weights that it was converted from"},
      {"", ".ggml", "weights for llama.cpp (GGML)", "get the weights that it was converted from"},
      {"openvino_", "", "an OpenVINO program", "get the weights that it was exported from"},
      {"", ".mlmodel", "a Core ML program", "get the weights that it was exported from"},
      {"", ".mlpackage", "a Core ML program", "get the weights that it was exported from"},
      {"", ".engine", "a TensorRT program", "get the weights that it was built from"},
      {"rust_model", ".ot", "weights for rust-bert", "get the pytorch_model.bin it was made from"},
      {"", ".pdparams", "PaddlePaddle weights",
       "load them with paddle.load, transpose the matrices of linear layers (.T), and save them "
       "with torch.save as pytorch_model.bin under transformers' names"},
      {"", ".pdiparams", "a PaddlePaddle program", "get the weights that it was exported from"},
      {"", ".npz", "NumPy or JAX arrays",
       "save them with torch.save as pytorch_model.bin under transformers' names"},
      {"", ".distcp", "shards of a distributed checkpoint (FSDP)",
       "merge them with accelerate merge-weights"},
      {"", "_model_states.pt", "shards of DeepSpeed",
       "merge them with the zero_to_fp32.py that DeepSpeed saves next to them"},
      {"mp_rank_", "", "shards of DeepSpeed",
       "merge them with the zero_to_fp32.py that DeepSpeed saves next to them"},
  };
  return all;
}

}  // namespace

std::string describe_foreign_weights(const std::string& name, std::string_view what,
                                     std::string_view way) {
  return fmt::format("has no model.safetensors or pytorch_model.bin, but {}, {}: {}",
                     quote_for_message(name), what, way);
}

namespace {

std::optional<std::string> describe_by_name(const std::string& name) {
  for (const Kind& kind : kinds()) {
    if (!name.starts_with(kind.begin) || !name.ends_with(kind.end)) continue;
    std::string way = kind.way;
    if (const size_t at = way.find("NAME"); at != way.npos) {
      way.replace(at, 4, quote_for_message(name));
    }
    return describe_foreign_weights(name, kind.what, way);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_foreign_weights(std::span<const std::string> names) {
  for (const std::string& name : names) {
    if (auto description = describe_by_name(name)) return description;
  }
  return std::nullopt;
}

}  // namespace spanforge
