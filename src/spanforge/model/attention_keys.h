#pragma once
// Reads keys of config.json that describe attention in other words than the family's own keys:
// transformers 5's layer_types and rope_parameters, and keys that would change rotary positions.
// Source: transformers 5, models/modernbert/configuration_modernbert.py; modeling_rope_utils.py.

#include "spanforge/base/json_view.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {

// Sets what the family's own keys leave open. Does nothing for families without rotary positions
// and local attention. Errors: those of the view, naming the key, if it contradicts one of the
// family's own or asks for what is not computed here.
void read_attention_keys(const JsonView& json, const EncoderSpec& spec, ModelConfig& config);

}  // namespace spanforge
