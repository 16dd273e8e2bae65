#include "spanforge/model/parameter_table.h"

#include <initializer_list>

#include "spanforge/base/keyed_hash.h"

namespace spanforge {
namespace {

class TableBuilder {
 public:
  TableBuilder(const EncoderSpec& spec, const ModelConfig& config) : spec_(spec), config_(config) {}

  ParameterTable build() {
    const int64_t hidden = config_.hidden_size, width = config_.*spec_.embeddings.width;
    table_.parts.head = linear({std::string(spec_.head)}, 2, hidden);
    table_.head_rows = table_.rows.size();
    table_.parts.blocks.resize(config_.*spec_.layers.blocks);
    for (size_t block = table_.parts.blocks.size(); block-- > 0;) {
      add_block(block, table_.parts.blocks[block]);
    }
    if (spec_.has_projection(config_)) {
      table_.parts.projection = linear({base(spec_.embeddings.projection)}, hidden, width);
    }
    table_.parts.embedding_norm = norm(base(spec_.embeddings.norm), width);
    const std::vector<EmbeddingSpec> tables = spec_.tables(config_);
    table_.parts.embeddings.resize(tables.size());
    for (size_t i = tables.size(); i-- > 0;) {
      table_.parts.embeddings[i] = embedding(tables[i], width);
    }
    table_.arena_size = aligned(end_);
    number_in_module_order();
    return std::move(table_);
  }

 private:
  void add_block(size_t index, BlockPart<Slot>& block) {
    const int64_t hidden = config_.hidden_size, inner = config_.intermediate_size;
    const std::string prefix = base(spec_.block_module(index)) + ".";
    const auto in_layer = [&](std::string_view module) { return prefix + std::string(module); };
    const BlockSpec& names = spec_.block;
    block.output_norm = norm(in_layer(names.output_norm), hidden);
    block.output = linear({in_layer(names.output)}, hidden, inner);
    block.intermediate = linear({in_layer(names.intermediate)}, inner, hidden);
    block.attention_norm = norm(in_layer(names.attention_norm), hidden);
    block.attention_output = linear({in_layer(names.attention_output)}, hidden, hidden);
    block.qkv =
        linear({in_layer(names.query), in_layer(names.key), in_layer(names.value)}, hidden, hidden);
  }

  // torch's modules in the order in which transformers declares them: forward, and in a module
  // weight before bias.
  void number_in_module_order() {
    std::vector<std::string> modules;
    for (const EmbeddingSpec& table : spec_.tables(config_)) modules.push_back(base(table.module));
    modules.push_back(base(spec_.embeddings.norm));
    modules.push_back(base(spec_.embeddings.projection));
    for (size_t block = 0; block < table_.parts.blocks.size(); ++block) {
      const std::string prefix = base(spec_.block_module(block)) + ".";
      for (const std::string_view module : spec_.block_modules_in_order()) {
        modules.push_back(prefix + std::string(module));
      }
    }
    modules.emplace_back(spec_.head);
    KeyedMap<std::string_view, size_t> place;
    for (size_t i = 0; i < modules.size(); ++i) place.emplace(modules[i], i);
    for (Parameter& parameter : table_.rows) {
      const size_t dot = parameter.name.rfind('.');
      const bool is_bias = parameter.name.substr(dot) == ".bias";
      parameter.module_index =
          2 * place.at(std::string_view(parameter.name).substr(0, dot)) + is_bias;
    }
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

  NormPart<Slot> norm(const std::string& module, int64_t width) {
    align();
    NormPart<Slot> part{{end_, 1, width}, {}};
    add(module + ".weight", {width}, Parameter::Init::kOnes, /*decays=*/false);
    align();
    part.beta = {end_, 1, width};
    add(module + ".bias", {width}, Parameter::Init::kZeros, /*decays=*/false);
    return part;
  }

  Slot embedding(const EmbeddingSpec& embedding, int64_t width) {
    const int64_t rows = config_.*embedding.rows;
    align();
    const Slot slot{end_, rows, width};
    add(base(embedding.module) + ".weight", {rows, width}, Parameter::Init::kNormal,
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
  if (const auto& part = table.parts.projection) {
    views.projection = {cut(arena, part->weight), cut(arena, part->bias)};
  }
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
