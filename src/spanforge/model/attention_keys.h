#pragma once
// Keys of config.json that say how a model's layers attend in other words than the family's own:
// transformers 5's layer_types and rope_parameters, and keys that would change rotary positions.
// Source: transformers 5, models/modernbert/configuration_modernbert.py; modeling_rope_utils.py.

#include <string>

#include "spanforge/base/json.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {

// Sets what the family's own keys leave open. Errors: Error{kBadModel, place} naming the key, where
// it contradicts one of the family's own or says what is not computed here. Nothing for families
// without rotary positions and local attention.
void read_attention_keys(const Json& json, const EncoderSpec& spec, const std::string& place,
                         ModelConfig& config);

}  // namespace spanforge
