#pragma once
// The two files of a LoRA adapter's directory, as PEFT writes them: adapter_config.json and
// adapter_model.safetensors (adapter_model.bin of older versions is read as well). The
// question-answering head is trained and saved with the adapters (PEFT's modules_to_save; an
// adapter of PEFT's may save a part of it or nothing). Names: PEFT's are
// base_model.model.MODULE.lora_A.weight, .lora_B.weight and
//   base_model.model.qa_outputs.weight, .bias; parameters here are named without the front. Also
//   read: names without it, and those that hold the adapter's own name (lora_A.default.weight,
//   qa_outputs.modules_to_save.default.weight).
// Source: peft 0.18, tuners/lora/config.py, config.py, utils/save_and_load.py, utils/other.py.

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "spanforge/model/lora.h"
#include "spanforge/model/model.h"
#include "spanforge/model/model_directory.h"

namespace spanforge {

class DirectoryWriter;  // io/directory_writer.h

inline constexpr const char* kOldAdapterWeightFile = "adapter_model.bin";

struct AdapterConfig {
  LoraConfig lora;
  std::string base_model;  // base_model_name_or_path: a directory or a hub's id; "": none is named
  std::string base_revision;  // the hub's; "": the usual one
  // Modules that the adapter has weights of its own for, all of them of a head: what is not among
  // them is the base model's.
  std::vector<std::string> saved_modules;
  // The layers are chosen by a pattern, by their numbers or by exclusion: lora.targets are the
  // modules that the weight file has adapters for.
  bool targets_by_weights = false;
  std::string original_text;  // the file that was read; "": none was

  // Is the module, or the parameter, with this name (of HF's) one of saved_modules or inside one?
  bool saves(std::string_view name) const;
};

// Errors: Error{kBadModel, place} naming the key, for what is unsound and for what is not computed
// here (DoRA, ranks or scales by layer, biases, adapters of embeddings, PiSSA's changed base ...).
AdapterConfig parse_adapter_config(std::string_view text, const std::string& place);
// The same of a directory's; reads the names in the weight file where targets_by_weights.
AdapterConfig read_adapter_config(const std::filesystem::path& directory);

// The settings of an adapter of a model with this configuration, targets settled.
LoraConfig read_adapter_lora(const std::filesystem::path& directory, const ModelConfig& base);

// The configuration of adapters with these settings on that model; where it is an adapter itself,
// all that is not ours is kept from its file.
AdapterConfig adapter_config_for(const LoraConfig& lora, const EncoderSpec& spec,
                                 const ModelDirectory& model);
// adapter_config.json, to the byte as PEFT writes it. REQUIRES: targets are settled.
std::string adapter_config_text(const AdapterConfig& config);

// base_model.model.NAME.
std::string peft_name(std::string_view parameter_name);

// What an adapter's weight file holds, of the parameters of a model with adapters: A and B of each,
// and what it saves of the head.
std::vector<const Parameter*> adapter_parameters(const std::vector<Parameter>& all,
                                                 const AdapterConfig& config);

// Fills what `destination` gives for each of the wanted parameters (its size in floats) from the
// weight file of a directory. wanted: adapter_parameters().
// Errors: Error{kBadModel, file} naming each weight that is missing, misshaped, there twice,
// unknown or not finite; Error{kIo} where there is no file.
void read_adapter_weights(const std::filesystem::path& directory,
                          std::span<const Parameter* const> wanted,
                          const std::function<float*(const Parameter&)>& destination);

// Writes adapter_model.safetensors, streamed from a flat arena.
void write_adapter_weights(DirectoryWriter& writer, std::span<const Parameter* const> parameters,
                           const Tensor& arena);

}  // namespace spanforge
