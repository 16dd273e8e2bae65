#pragma once
// Keys of config.json that say how a model's layers attend in other words than the family's own:
// transformers 5's layer_types and rope_parameters, and keys that would change rotary positions.
// Source: transformers 5, models/modernbert/configuration_modernbert.py; modeling_rope_utils.py.

#include "spanforge/base/json_view.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {

// Sets what the family's own keys leave open. Nothing for families without rotary positions and
// local attention. Errors: those of the view, naming the key, where it contradicts one of the
// family's own or says what is not computed here.
void read_attention_keys(const JsonView& json, const EncoderSpec& spec, ModelConfig& config);

}  // namespace spanforge
