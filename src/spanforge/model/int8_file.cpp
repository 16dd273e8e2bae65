#include "spanforge/model/int8_file.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/weights.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/model/answering_weights.h"
#include "spanforge/model/int8_calibration.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

constexpr const char* kFormat = "spanforge-int8";
constexpr const char* kVersion = "1";
constexpr size_t kAlignment = 64;  // of the tiles

std::string linear_name(const EncoderSpec& spec, size_t block, BlockLinear linear) {
  return std::string(spec.base_prefix) + spec.block_module(block) + "." + block_linear_name(linear);
}

std::vector<int64_t> packed_shape(const Slot& weight) {
  return {
      ops::packed_stripes(weight.rows), ops::packed_depth(weight.cols, DType::kS8), 2, 16, 16, 4};
}

// Parameters that are not part of a packed layer.
std::vector<const Parameter*> plain_parameters(const ParameterTable& table) {
  std::vector<const Parameter*> plain;
  for (const Parameter& parameter : table.rows) {
    bool packed = false;
    for (const BlockPart<Slot>& block : table.parts.blocks) {
      for (const BlockLinear linear : kAllBlockLinears) {
        const LinearPart<Slot>& part = linear_of(block, linear);
        for (const Slot& slot : {part.weight, part.bias}) {
          const int64_t at = parameter.offset - slot.offset;
          packed = packed || (at >= 0 && at < slot.rows * slot.cols);
        }
      }
    }
    if (!packed) plain.push_back(&parameter);
  }
  return plain;
}

// The tensors of a new file, and their memory.
class Writer {
 public:
  void add_floats(std::string name, std::vector<int64_t> shape, const float* data, int64_t count) {
    const auto* bytes = reinterpret_cast<const char*>(data);
    tensors_.push_back({std::move(name),
                        StoredType::kF32,
                        std::move(shape),
                        {bytes, static_cast<size_t>(count) * sizeof(float)}});
    float_bytes_ += static_cast<size_t>(count) * sizeof(float);
  }
  void add_floats(std::string name, std::vector<float> data) {
    const std::vector<float>& kept = floats_.emplace_back(std::move(data));
    const auto count = static_cast<int64_t>(kept.size());
    add_floats(std::move(name), {count}, kept.data(), count);
  }
  void add_packed(std::string name, std::vector<int64_t> shape, std::vector<int8_t> data) {
    const std::vector<int8_t>& kept = bytes_.emplace_back(std::move(data));
    tensors_.push_back({std::move(name),
                        StoredType::kI8,
                        std::move(shape),
                        {reinterpret_cast<const char*>(kept.data()), kept.size()}});
  }
  void write(AtomicFile file) && {
    // Floats come first; they are padded so that the tiles begin where they can be loaded fast.
    add_floats("padding",
               std::vector<float>((kAlignment - float_bytes_ % kAlignment) / sizeof(float)));
    write_safetensors(std::move(file), std::move(tensors_),
                      {{"format", kFormat}, {"version", kVersion}}, kAlignment);
  }

 private:
  std::vector<StoredTensor> tensors_;
  std::deque<std::vector<float>> floats_;
  std::deque<std::vector<int8_t>> bytes_;
  size_t float_bytes_ = 0;
};

// The tensors of a file, each checked before it is used.
class Int8Weights : public AnsweringWeights {
 public:
  explicit Int8Weights(const std::filesystem::path& path) : file_(path) {
    const SafetensorsMetadata& metadata = file_.metadata();
    const auto is = [&](const char* key, const char* value) {
      const auto found = metadata.find(key);
      return found != metadata.end() && found->second == value;
    };
    if (!is("format", kFormat)) fail("is not an int8 model's file: its metadata lack the format");
    if (!is("version", kVersion)) {
      fail(
          "has a version of the int8 format that this program does not know; convert the model "
          "again");
    }
  }

  void expect_whole() const override { file_.file().expect_whole(); }

  const AnsweringParts& build(const EncoderSpec& spec, const ParameterTable& table) {
    for (const Parameter* parameter : plain_parameters(table)) {
      plain_.emplace(parameter->offset, floats(parameter->name, parameter->shape));
    }
    parts = map_parts<Tensor, ops::PackedLinear>(
        table.parts,
        [&](const Slot& slot) { return slot.empty() ? Tensor() : plain_.at(slot.offset); },
        [&](const LinearPart<Slot>& layer, size_t block, BlockLinear which) {
          return linear(linear_name(spec, block, which), layer, which);
        });
    if (used_ + 1 < file_.tensors().size()) {  // except the padding
      fail("has tensors that the model of config.json does not");
    }
    return parts;
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorCode::kBadModel, file_.path().string(), reason);
  }

  std::string_view bytes(const std::string& name, StoredType type,
                         const std::vector<int64_t>& shape) {
    const StoredTensor* const stored = file_.find(name);
    if (stored == nullptr) fail("lacks the tensor \"" + name + "\"");
    if (stored->type != type || stored->shape != shape) {
      fail("has the tensor \"" + name + "\" in a type or shape that does not fit config.json");
    }
    ++used_;
    return stored->bytes;
  }

  Tensor floats(const std::string& name, const std::vector<int64_t>& shape) {
    const std::string_view data = bytes(name, StoredType::kF32, shape);
    if (reinterpret_cast<uintptr_t>(data.data()) % alignof(float) != 0) {
      fail("is not aligned: the data of an int8 model begin at a multiple of 64 bytes");
    }
    auto* const numbers = reinterpret_cast<float*>(const_cast<char*>(data.data()));
    const Tensor tensor = make_tensor(numbers, shape.size() == 1 ? 1 : shape.front(), shape.back());
    if (ops::first_non_finite(tensor) >= 0) fail("has NaN or Inf in \"" + name + "\"");
    return tensor;
  }

  // The rows of the table of distances have their own range.
  void project_rows(size_t block, const Tensor& x, const Tensor& y) const override {
    float least = 0, most = 0;
    for (int64_t i = 0; i < x.size(); ++i) {
      const float v = x.dtype == DType::kF32 ? x.as<float>()[i] : to_float(x.as<bf16>()[i]);
      least = std::min(least, v);
      most = std::max(most, v);
    }
    const QueryKeyValue& layer = query_key_value_[block];
    ops::PackedLinear::int8(layer.weight.rows, layer.weight.cols, layer.packed, layer.scales,
                            layer.bias, input_range(least, most))(x, y);
  }

  ops::PackedLinear linear(const std::string& name, const LinearPart<Slot>& layer,
                           BlockLinear which) {
    const Slot& weight = layer.weight;
    const std::string_view packed = bytes(name + ".weight", StoredType::kI8, packed_shape(weight));
    const Tensor scales = floats(name + ".weight_scale", {weight.rows});
    const Tensor bias = layer.bias.empty() ? Tensor() : floats(name + ".bias", {weight.rows});
    const Tensor stored_range = floats(name + ".input_range", {2});
    const float scale = stored_range.as<float>()[0], zero = stored_range.as<float>()[1];
    if (!(scale > 0) || !(zero >= 0) || !(zero <= 255) || zero != std::floor(zero)) {
      fail("has an impossible range in \"" + name + ".input_range\"");
    }
    const auto* const tiles = reinterpret_cast<const int8_t*>(packed.data());
    if (which == BlockLinear::kQkv) {
      query_key_value_.push_back({weight, tiles, scales.as<float>(), bias});
    }
    return ops::PackedLinear::int8(weight.rows, weight.cols, tiles, scales.as<float>(), bias,
                                   {scale, static_cast<int32_t>(zero)});
  }

  struct QueryKeyValue {
    Slot weight;
    const int8_t* packed;
    const float* scales;
    Tensor bias;
  };

  SafetensorsFile file_;
  KeyedMap<int64_t, Tensor> plain_;             // by offset in the table
  std::vector<QueryKeyValue> query_key_value_;  // of each block
  size_t used_ = 0;
};

}  // namespace

bool is_int8_directory(const std::filesystem::path& directory) {
  return path_exists(directory / kInt8WeightFile) && find_weight_file(directory).empty();
}

void write_int8_file(DirectoryWriter& writer, const QuestionAnsweringModel& model,
                     const Int8Ranges& ranges) {
  const EncoderSpec& spec =
      encoder_spec(model.config().model_type, ErrorCode::kBadModel, "config.json");
  const ParameterTable table = build_parameter_table(spec, model.config());
  const ModelParts<Tensor> weights = bind_parts(table, model.all_weights(), {});
  Writer tensors;
  for (const Parameter* parameter : plain_parameters(table)) {
    const Tensor tensor = model.weights(*parameter);
    tensors.add_floats(parameter->name, parameter->shape, tensor.as<float>(), parameter->size);
  }
  for (size_t block = 0; block < weights.blocks.size(); ++block) {
    for (const BlockLinear which : kAllBlockLinears) {
      const LinearPart<Tensor>& part = linear_of(weights.blocks[block], which);
      const Slot& slot = linear_of(table.parts.blocks[block], which).weight;
      const std::string name = linear_name(spec, block, which);
      ops::Int8Weights packed =
          ops::quantize_weights(slot.rows, slot.cols, [&](int64_t first, int64_t count, float* to) {
            std::copy_n(part.weight.row<float>(first), count * slot.cols, to);
          });
      const ops::InputRange& range = ranges[block][static_cast<size_t>(which)];
      tensors.add_packed(name + ".weight", packed_shape(slot), std::move(packed.packed));
      tensors.add_floats(name + ".weight_scale", std::move(packed.scales));
      if (!part.bias.empty()) {
        tensors.add_floats(name + ".bias", {slot.rows}, part.bias.as<float>(), slot.rows);
      }
      tensors.add_floats(name + ".input_range",
                         {range.scale, static_cast<float>(range.zero_point)});
    }
  }
  std::move(tensors).write(writer.create(kInt8WeightFile));
}

std::unique_ptr<AnsweringWeights> load_int8_weights(const std::filesystem::path& directory,
                                                    const EncoderSpec& spec,
                                                    const ParameterTable& table) {
  auto weights = std::make_unique<Int8Weights>(directory / kInt8WeightFile);
  weights->build(spec, table);
  return weights;
}

}  // namespace spanforge
