#include "spanforge/model/parameter_table.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/core.h>

#include "spanforge/base/keyed_hash.h"

namespace spanforge {
namespace {

class TableBuilder {
 public:
  TableBuilder(const EncoderSpec& spec, const ModelConfig& config, const Learning& learning)
      : spec_(spec), config_(config), learning_(learning) {}

  ParameterTable build() {
    if (learning_.lora.rank > 0) {
      table_.lora = settle_targets(learning_.lora, spec_, config_, ErrorCode::kUsage,
                                   {.parameter = "lora_target"});
    }
    table_.parts.blocks.resize(config_.*spec_.layers.blocks);
    table_.block_ends.resize(table_.parts.blocks.size());
    find_frozen_blocks();
    for (const bool learns : {true, false}) {
      trainable_ = learns;
      add_all();
      table_.arena_size = aligned(end_);
      if (learns) table_.trainable_size = table_.arena_size;
    }
    number_in_module_order();
    return std::move(table_);
  }

 private:
  // Adds the parameters of the kind that is being laid out (trainable_).
  void add_all() {
    const int64_t hidden = config_.hidden_size, width = spec_.width(config_);
    if (trainable_) {
      add_head(hidden);
      table_.head_rows = table_.rows.size();
      table_.head_end = aligned(end_);
    }
    for (size_t block = table_.parts.blocks.size(); block-- > 0;) {
      add_block(block, table_.parts.blocks[block]);
      if (trainable_) {
        add_adapters(block, table_.parts.blocks[block]);
        table_.block_ends[block] = aligned(end_);
      }
    }
    // Its gradient is final when the first layer's backward is done. It belongs to the layers that
    // use it.
    const bool any_layer_learns =
        std::find(block_learns_.begin(), block_learns_.end(), true) != block_learns_.end();
    if (any_layer_learns == trainable_) add_relative();
    const bool projected = spec_.has_projection(config_);
    const std::string projection = base(spec_.embeddings.projection);
    if (trainable_ && projected) {
      add_adapter(projection, hidden, width, /*first_output=*/0, /*site=*/0,
                  table_.parts.projection_adapters);
    }
    const bool embeddings_learn = learning_.embeddings && learning_.lora.rank == 0;
    if (embeddings_learn != trainable_) return;
    const bool narrow_norm = !spec_.embeddings.projected_before_norm;
    if (projected) {
      table_.parts.projection =
          linear({{projection}, hidden, width, spec_.embeddings.projection_has_bias});
    }
    table_.parts.embedding_norm = norm(base(spec_.embeddings.norm), narrow_norm ? width : hidden);
    const std::vector<EmbeddingSpec> tables = spec_.tables(config_);
    table_.parts.embeddings.resize(tables.size());
    for (size_t i = tables.size(); i-- > 0;) {
      table_.parts.embeddings[i] = embedding(tables[i], width);
    }
  }

  void add_head(int64_t hidden) {
    const HeadSpec& head = spec_.head;
    table_.parts.head = linear({{std::string(head.output)}, 2, hidden, true, head.spread});
    if (!head.transform) return;
    const NormPart<Slot> head_norm = norm(std::string(head.transform->norm), hidden);
    const bool has_bias = config_.*head.transform->bias;
    table_.parts.head_transform = {linear({{std::string(head.transform->dense)},
                                           hidden,
                                           hidden,
                                           has_bias,
                                           head.transform->spread}),
                                   head_norm};
  }

  // Adds those parameters of a block that are of the kind being laid out.
  void add_block(size_t index, BlockPart<Slot>& block) {
    const std::vector<BlockLinearModule> modules = spec_.block_linear_modules(config_);
    const auto linear_of_block = [&](BlockLinear which) {
      Linear layer;
      for (const BlockLinearModule& module : modules) {
        if (module.linear != which) continue;
        layer.modules.push_back(base(spec_.block_module(index)) + "." + std::string(module.name));
        layer.out = module.out;
        layer.in = module.in;
        layer.has_bias = module.has_bias;
        layer.spread = module.spread;
      }
      return linear(layer);
    };
    if (output_norm_learns(index) == trainable_) {
      block.output_norm = norm(base(spec_.norm_behind_output(index, config_)), config_.hidden_size);
    }
    if (block_learns_[index] != trainable_) return;
    block.output = linear_of_block(BlockLinear::kOutput);
    block.intermediate = linear_of_block(BlockLinear::kIntermediate);
    block.attention_norm = norm(base(spec_.norm_behind_attention(index)), config_.hidden_size);
    block.attention_output = linear_of_block(BlockLinear::kAttentionOutput);
    for (const DistanceTerm term : {DistanceTerm::kQueries, DistanceTerm::kKeys}) {
      const std::string_view module = spec_.distance_module(term, config_);
      if (module.empty()) continue;
      block.distances[static_cast<size_t>(term)] =
          linear({{base(spec_.block_module(index)) + "." + std::string(module)},
                  config_.hidden_size,
                  config_.hidden_size});
    }
    block.qkv = linear_of_block(BlockLinear::kQkv);
  }

  void add_relative() {
    const RelativeSpec& relative = spec_.relative;
    const RelativeForm form = spec_.relative_form(config_);
    if (form.kind == RelativeKind::kNone) return;
    const bool is_biases = form.kind == RelativeKind::kBiases;
    if (form.has_norm) table_.parts.relative.norm = norm(base(relative.norm), config_.hidden_size);
    table_.parts.relative.table = rows_of_table(
        relative.table, form.rows, is_biases ? config_.num_attention_heads : config_.hidden_size);
    // transformers treats every name that contains "bias" as a bias.
    table_.rows.back().decays = !is_biases;
  }

  void add_adapters(size_t index, BlockPart<Slot>& block) {
    const std::vector<BlockLinearModule> modules = spec_.block_linear_modules(config_);
    const std::string prefix = base(spec_.block_module(index)) + ".";
    for (const DistanceTerm term : {DistanceTerm::kQueries, DistanceTerm::kKeys}) {
      const std::string_view module = spec_.distance_module(term, config_);
      if (module.empty()) continue;
      const auto which = static_cast<size_t>(term);
      add_adapter(prefix + std::string(module), config_.hidden_size, config_.hidden_size,
                  /*first_output=*/0, static_cast<uint32_t>(modules.size() + which),
                  block.distance_adapters[which]);
    }
    for (size_t i = modules.size(); i-- > 0;) {  // reverse execution
      const BlockLinearModule& module = modules[i];
      add_adapter(prefix + std::string(module.name), module.out, module.in, module.first_output,
                  static_cast<uint32_t>(i), block.adapters[static_cast<size_t>(module.linear)]);
    }
  }

  void add_adapter(const std::string& module, int64_t out, int64_t in, int64_t first_output,
                   uint32_t site, std::vector<AdapterPart<Slot>>& adapters) {
    const LoraConfig& lora = table_.lora;
    if (lora.rank == 0 || !lora.targets_module(module)) return;
    AdapterPart<Slot> part{.first_output = first_output, .site = site};
    align();
    part.b = {end_, out, lora.rank};
    add(module + ".lora_B.weight", {out, lora.rank}, Parameter::Init::kZeros, /*decays=*/true);
    table_.rows.back().is_adapter = true;
    align();
    part.a = {end_, lora.rank, in};
    add(module + ".lora_A.weight", {lora.rank, in}, Parameter::Init::kUniformInputs,
        /*decays=*/true);
    table_.rows.back().is_adapter = true;
    adapters.push_back(part);
  }

  // Before the branches, the norm after a block is the next block's or the final one. That is
  // frozen if all layers are.
  bool output_norm_learns(size_t block) const {
    if (spec_.block.norms == NormPlace::kBehindSums) return block_learns_[block];
    if (block + 1 < block_learns_.size()) return block_learns_[block + 1];
    return std::find(block_learns_.begin(), block_learns_.end(), true) != block_learns_.end();
  }

  void find_frozen_blocks() {
    const auto blocks = table_.parts.blocks.size();
    const int32_t layers = config_.num_hidden_layers;
    std::vector<bool> layer_learns(static_cast<size_t>(layers), learning_.lora.rank == 0);
    for (const auto& [first, last] : learning_.frozen_layers) {
      if (first < 0 || first > last || last >= layers) {
        throw Error(ErrorCode::kUsage, {.parameter = "freeze"},
                    fmt::format("layers {} to {} do not exist: the model has layers 0 to {}", first,
                                last, layers - 1));
      }
      std::fill(layer_learns.begin() + first, layer_learns.begin() + last + 1, false);
    }
    block_learns_.assign(blocks, false);
    std::vector<bool> seen(blocks, false);
    for (int32_t layer = 0; layer < layers; ++layer) {
      const size_t block = spec_.block_of(layer, config_);
      const bool learns = layer_learns[static_cast<size_t>(layer)];
      if (seen[block] && block_learns_[block] != learns) {
        throw Error(ErrorCode::kUsage, {.parameter = "freeze"},
                    fmt::format("layer {} shares its weights with one that is not frozen", layer));
      }
      seen[block] = true;
      block_learns_[block] = learns;
    }
  }

  // Numbers torch's modules in the order in which transformers declares them: forward, and within
  // a module the weight before the bias.
  void number_in_module_order() {
    std::vector<std::string> modules;
    for (const EmbeddingSpec& table : spec_.tables(config_)) modules.push_back(base(table.module));
    std::string_view following[] = {spec_.embeddings.norm, spec_.embeddings.projection};
    if (spec_.embeddings.projected_before_norm) std::swap(following[0], following[1]);
    for (const std::string_view module : following) modules.push_back(base(module));
    for (size_t block = 0; block < table_.parts.blocks.size(); ++block) {
      const std::string prefix = base(spec_.block_module(block)) + ".";
      for (const BlockModule& module : spec_.block.modules) {
        modules.push_back(prefix + std::string(module.name));
      }
    }
    modules.push_back(base(spec_.relative.table));
    modules.push_back(base(spec_.relative.norm));
    modules.push_back(base(spec_.layers.final_norm));
    for (const std::string_view module : spec_.head.modules()) modules.emplace_back(module);
    KeyedMap<std::string_view, size_t> place;
    for (size_t i = 0; i < modules.size(); ++i) place.emplace(modules[i], i);
    constexpr std::string_view kKinds[] = {".weight", ".bias", ".lora_A.weight", ".lora_B.weight"};
    for (Parameter& parameter : table_.rows) {
      for (size_t kind = std::size(kKinds); kind-- > 0;) {
        if (!parameter.name.ends_with(kKinds[kind])) continue;
        const std::string_view name = parameter.name;
        parameter.module_index =
            std::size(kKinds) * place.at(name.substr(0, name.size() - kKinds[kind].size())) + kind;
        break;
      }
    }
  }

  // A linear layer of one module, or of several modules of one shape that become one matrix.
  struct Linear {
    std::vector<std::string> modules;
    int64_t out = 0, in = 0;  // of each
    bool has_bias = true;
    Spread spread = Spread::kRange;
  };
  LinearPart<Slot> linear(const Linear& layer) {
    const int64_t rows = static_cast<int64_t>(layer.modules.size()) * layer.out;
    align();
    LinearPart<Slot> part{{end_, rows, layer.in}, {}};
    for (const std::string& module : layer.modules) {
      add_normal(module + ".weight", layer.out, layer.in, layer.spread);
    }
    if (!layer.has_bias) return part;
    align();
    part.bias = {end_, 1, rows};
    for (const std::string& module : layer.modules) {
      add(module + ".bias", {layer.out}, Parameter::Init::kZeros, /*decays=*/false);
    }
    return part;
  }

  NormPart<Slot> norm(const std::string& module, int64_t width) {
    align();
    NormPart<Slot> part{{end_, 1, width}, {}};
    add(module + ".weight", {width}, Parameter::Init::kOnes, /*decays=*/false);
    if (spec_.norm_bias != nullptr && !(config_.*spec_.norm_bias)) return part;
    align();
    part.beta = {end_, 1, width};
    add(module + ".bias", {width}, Parameter::Init::kZeros, /*decays=*/false);
    return part;
  }

  Slot rows_of_table(std::string_view module, int64_t rows, int64_t width) {
    align();
    const Slot slot{end_, rows, width};
    add_normal(base(module) + ".weight", rows, width, Spread::kRange);
    table_.rows.back().init = Parameter::Init::kRows;
    return slot;
  }

  Slot embedding(const EmbeddingSpec& embedding, int64_t width) {
    const Slot slot = rows_of_table(embedding.module, config_.*embedding.rows, width);
    table_.rows.back().embedding = true;
    if (embedding.has_padding_row) table_.rows.back().zero_row = spec_.padding_row(config_);
    return slot;
  }

  void add_normal(std::string name, int64_t out, int64_t in, Spread spread) {
    add(std::move(name), {out, in}, Parameter::Init::kNormal, /*decays=*/true);
    Parameter& parameter = table_.rows.back();
    parameter.spread = config_.initializer_range;
    if (spread == Spread::kRangeByDepth) {
      parameter.spread /= std::sqrt(2.0 * config_.num_hidden_layers);
    } else if (spread == Spread::kInputs) {
      parameter.spread = 1 / std::sqrt(static_cast<double>(in));
    }
    if (spec_.initial_cutoff == nullptr) return;
    // transformers' ModernBertPreTrainedModel takes 3 if config.json says null.
    const double cutoff = config_.*spec_.initial_cutoff;
    parameter.cutoff = cutoff == 0 ? 3 : cutoff;
  }

  void add(std::string name, std::vector<int64_t> shape, Parameter::Init init, bool decays) {
    int64_t size = 1;
    for (int64_t dimension : shape) size *= dimension;
    table_.rows.push_back({.name = std::move(name),
                           .shape = std::move(shape),
                           .offset = end_,
                           .size = size,
                           .decays = decays,
                           .trainable = trainable_,
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
  const Learning& learning_;
  ParameterTable table_;
  std::vector<bool> block_learns_;
  bool trainable_ = true;  // the kind that is being laid out
  int64_t end_ = 0;
};

Tensor cut(const Tensor& arena, const Slot& slot) {
  if (slot.empty() || slot.offset >= arena.cols) return {};
  auto* data = static_cast<std::byte*>(arena.data) + slot.offset * dtype_size(arena.dtype);
  return make_tensor(static_cast<void*>(data), arena.dtype, slot.rows, slot.cols);
}

}  // namespace

ParameterTable build_parameter_table(const EncoderSpec& spec, const ModelConfig& config,
                                     const Learning& learning) {
  return TableBuilder(spec, config, learning).build();
}

ModelParts<Tensor> bind_parts(const ParameterTable& table, const Tensor& arena,
                              const Tensor& gemm_weights) {
  const Tensor& matrices = gemm_weights.empty() ? arena : gemm_weights;
  const auto adapters = [](const std::vector<AdapterPart<Slot>>& parts, const Tensor& from) {
    std::vector<AdapterPart<Tensor>> cuts;
    for (const AdapterPart<Slot>& part : parts) {
      cuts.push_back({cut(from, part.a), cut(from, part.b), part.first_output, part.site});
    }
    return cuts;
  };
  auto views = map_parts<Tensor, LinearPart<Tensor>>(
      table.parts, [&](const Slot& slot) { return cut(arena, slot); },
      [&](const LinearPart<Slot>& part, size_t, BlockLinear) {
        return LinearPart<Tensor>{cut(matrices, part.weight), cut(arena, part.bias)};
      });
  views.projection_adapters = adapters(table.parts.projection_adapters, arena);
  for (size_t i = 0; i < views.blocks.size(); ++i) {
    for (size_t which = 0; which < kBlockLinears; ++which) {
      views.blocks[i].adapters[which] = adapters(table.parts.blocks[i].adapters[which], matrices);
    }
    for (size_t term = 0; term < kDistanceTerms; ++term) {
      const BlockPart<Slot>& block = table.parts.blocks[i];
      views.blocks[i].distances[term].weight = cut(matrices, block.distances[term].weight);
      views.blocks[i].distance_adapters[term] = adapters(block.distance_adapters[term], matrices);
    }
  }
  return views;
}

Tensor parameter_view(const Parameter& parameter, const Tensor& arena) {
  const bool is_vector = parameter.shape.size() == 1;
  const int64_t cols = parameter.shape.back();
  return cut(arena, {parameter.offset, is_vector ? 1 : parameter.shape.front(), cols});
}

}  // namespace spanforge
