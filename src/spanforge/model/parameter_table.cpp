#include "spanforge/model/parameter_table.h"

#include <initializer_list>

namespace spanforge {
namespace {

class TableBuilder {
 public:
  TableBuilder(const EncoderSpec& spec, const ModelConfig& config) : spec_(spec), config_(config) {}

  ParameterTable build() {
    const int64_t hidden = config_.hidden_size;
    table_.parts.head = linear({std::string(spec_.head)}, 2, hidden);
    table_.head_rows = table_.rows.size();
    table_.parts.blocks.resize(config_.num_hidden_layers);
    for (int32_t layer = config_.num_hidden_layers - 1; layer >= 0; --layer) {
      add_block(layer, table_.parts.blocks[layer]);
    }
    table_.parts.embedding_norm = norm(base(spec_.embedding_norm));
    table_.parts.embeddings.resize(spec_.embeddings.size());
    for (size_t i = spec_.embeddings.size(); i-- > 0;) {
      table_.parts.embeddings[i] = embedding(spec_.embeddings[i]);
    }
    table_.arena_size = aligned(end_);
    return std::move(table_);
  }

 private:
  void add_block(int32_t layer, BlockPart<Slot>& block) {
    const int64_t hidden = config_.hidden_size, inner = config_.intermediate_size;
    const std::string prefix = base(spec_.layers) + "." + std::to_string(layer) + ".";
    const auto in_layer = [&](std::string_view module) { return prefix + std::string(module); };
    const BlockSpec& names = spec_.block;
    block.output_norm = norm(in_layer(names.output_norm));
    block.output = linear({in_layer(names.output)}, hidden, inner);
    block.intermediate = linear({in_layer(names.intermediate)}, inner, hidden);
    block.attention_norm = norm(in_layer(names.attention_norm));
    block.attention_output = linear({in_layer(names.attention_output)}, hidden, hidden);
    block.qkv =
        linear({in_layer(names.query), in_layer(names.key), in_layer(names.value)}, hidden, hidden);
  }

  // Several modules of one shape become one matrix, [modules * out, in].
  LinearPart<Slot> linear(std::initializer_list<std::string> modules, int64_t out, int64_t in) {
    const int64_t count = static_cast<int64_t>(modules.size());
    align();
    LinearPart<Slot> part{{end_, count * out, in}, {}};
    for (const std::string& module : modules) {
      add(module + ".weight", {out, in}, Parameter::Init::kNormal, /*decays=*/true);
    }
    align();
    part.bias = {end_, 1, count * out};
    for (const std::string& module : modules) {
      add(module + ".bias", {out}, Parameter::Init::kZeros, /*decays=*/false);
    }
    return part;
  }

  NormPart<Slot> norm(const std::string& module) {
    const int64_t hidden = config_.hidden_size;
    align();
    NormPart<Slot> part{{end_, 1, hidden}, {}};
    add(module + ".weight", {hidden}, Parameter::Init::kOnes, /*decays=*/false);
    align();
    part.beta = {end_, 1, hidden};
    add(module + ".bias", {hidden}, Parameter::Init::kZeros, /*decays=*/false);
    return part;
  }

  Slot embedding(const EmbeddingSpec& embedding) {
    const int64_t rows = config_.*embedding.rows, hidden = config_.hidden_size;
    align();
    const Slot slot{end_, rows, hidden};
    add(base(embedding.module) + ".weight", {rows, hidden}, Parameter::Init::kNormal,
        /*decays=*/true);
    table_.rows.back().embedding = true;
    if (embedding.has_padding_row) table_.rows.back().zero_row = config_.pad_token_id;
    return slot;
  }

  void add(std::string name, std::vector<int64_t> shape, Parameter::Init init, bool decays) {
    int64_t size = 1;
    for (int64_t dimension : shape) size *= dimension;
    table_.rows.push_back({.name = std::move(name),
                           .shape = std::move(shape),
                           .offset = end_,
                           .size = size,
                           .decays = decays,
                           .init = init});
    end_ += size;
    table_.parameter_count += size;
  }

  static int64_t aligned(int64_t offset) {
    return (offset + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
  }
  void align() { end_ = aligned(end_); }
  std::string base(std::string_view module) const {
    return std::string(spec_.base_prefix) + std::string(module);
  }

  const EncoderSpec& spec_;
  const ModelConfig& config_;
  ParameterTable table_;
  int64_t end_ = 0;
};

Tensor cut(const Tensor& arena, const Slot& slot) {
  auto* data = static_cast<std::byte*>(arena.data) + slot.offset * dtype_size(arena.dtype);
  return make_tensor(static_cast<void*>(data), arena.dtype, slot.rows, slot.cols);
}

}  // namespace

const char* block_linear_name(BlockLinear linear) {
  constexpr const char* kNames[] = {"qkv", "attention_output", "intermediate", "output"};
  return kNames[static_cast<size_t>(linear)];
}

ParameterTable build_parameter_table(const EncoderSpec& spec, const ModelConfig& config) {
  return TableBuilder(spec, config).build();
}

ModelParts<Tensor> bind_parts(const ParameterTable& table, const Tensor& arena,
                              const Tensor& gemm_weights) {
  const Tensor& matrices = gemm_weights.empty() ? arena : gemm_weights;
  const auto linear = [&](const LinearPart<Slot>& part) {
    return LinearPart<Tensor>{cut(matrices, part.weight), cut(arena, part.bias)};
  };
  const auto norm = [&](const NormPart<Slot>& part) {
    return NormPart<Tensor>{cut(arena, part.gamma), cut(arena, part.beta)};
  };
  ModelParts<Tensor> views;
  for (const Slot& slot : table.parts.embeddings) views.embeddings.push_back(cut(arena, slot));
  views.embedding_norm = norm(table.parts.embedding_norm);
  for (const BlockPart<Slot>& block : table.parts.blocks) {
    views.blocks.push_back({.qkv = linear(block.qkv),
                            .attention_output = linear(block.attention_output),
                            .attention_norm = norm(block.attention_norm),
                            .intermediate = linear(block.intermediate),
                            .output = linear(block.output),
                            .output_norm = norm(block.output_norm)});
  }
  views.head = {cut(arena, table.parts.head.weight), cut(arena, table.parts.head.bias)};
  return views;
}

Tensor parameter_view(const Parameter& parameter, const Tensor& arena) {
  const bool is_vector = parameter.shape.size() == 1;
  const int64_t cols = parameter.shape.back();
  return cut(arena, {parameter.offset, is_vector ? 1 : parameter.shape.front(), cols});
}

}  // namespace spanforge
