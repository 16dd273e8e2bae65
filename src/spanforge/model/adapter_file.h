#pragma once
// Reads and writes the two files of a LoRA adapter's directory, as PEFT does: adapter_config.json
// and adapter_model.safetensors. Older versions wrote adapter_model.bin, which is read as well. The
// question-answering head is trained and saved with the adapters (PEFT's modules_to_save). PEFT's
// own adapters may save only a part of the head, or nothing of it.
// Names: PEFT writes base_model.model.MODULE.lora_A.weight, .lora_B.weight and
//   base_model.model.qa_outputs.weight, .bias. Parameters here have no "base_model.model.". Names
//   without it are read, too, and names that contain the adapter's own name (lora_A.default.weight,
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
  std::string
      base_model;  // base_model_name_or_path: a directory or a hub's id; "": the file names none
  std::string base_revision;  // revision on the hub; "": the default one
  // Modules that the adapter has its own weights for. All belong to the head. Every other module
  // is the base model's.
  std::vector<std::string> saved_modules;
  // True if the file chooses layers by a pattern, by their numbers or by exclusion. lora.targets
  // are then the modules that the weight file has adapters for.
  bool targets_by_weights = false;
  std::string original_text;  // the file that was read; "": there was no file

  // True if `name` (HF's, of a module or parameter) is one of saved_modules or inside one.
  bool saves(std::string_view name) const;
};

// Errors: Error{kBadModel, place} naming the key if a value is malformed or asks for what is not
// computed here (DoRA, ranks or scales by layer, biases, adapters of embeddings, PiSSA's changed
// base ...).
AdapterConfig parse_adapter_config(std::string_view text, const std::string& place);
// Reads the file in a directory. If targets_by_weights, also reads the names in the weight file.
AdapterConfig read_adapter_config(const std::filesystem::path& directory);

// The settings of an adapter of a model with this configuration. Its targets are settled.
LoraConfig read_adapter_lora(const std::filesystem::path& directory, const ModelConfig& base);

// The configuration of adapters with these settings on that model. If the model is an adapter
// itself, keys of its file that spanforge does not use are kept.
AdapterConfig adapter_config_for(const LoraConfig& lora, const EncoderSpec& spec,
                                 const ModelDirectory& model);
// The text of adapter_config.json, equal to PEFT's to the byte. REQUIRES: targets are settled.
std::string adapter_config_text(const AdapterConfig& config);

// Returns base_model.model.NAME.
std::string peft_name(std::string_view parameter_name);

// The parameters that an adapter's weight file holds: A and B of each adapter, and what it saves
// of the head. all: the parameters of a model with adapters.
std::vector<const Parameter*> adapter_parameters(const std::vector<Parameter>& all,
                                                 const AdapterConfig& config);

// Reads each wanted parameter from the weight file of a directory into the memory that
// `destination` returns for it. wanted: adapter_parameters().
// Errors: Error{kBadModel, file} naming each weight that is missing, misshaped, duplicate, unknown
// or not finite; Error{kIo} if there is no file.
void read_adapter_weights(const std::filesystem::path& directory,
                          std::span<const Parameter* const> wanted,
                          const std::function<float*(const Parameter&)>& destination);

// Writes adapter_model.safetensors, streamed from a flat arena.
void write_adapter_weights(DirectoryWriter& writer, std::span<const Parameter* const> parameters,
                           const Tensor& arena);

}  // namespace spanforge
