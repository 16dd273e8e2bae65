// An untrusted adapter_config.json: parsing either throws Error{kBadModel} or gives adapters that
// fit a model or are refused for it, and a file that is written the same after it is read again.

#include <cstdint>

#include "spanforge/model/adapter_file.h"
#include "spanforge/model/encoder_spec.h"
#include "support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  AdapterConfig config;
  try {
    config = parse_adapter_config(fuzz::view_of(data, size), "input");
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kBadModel);
    return 0;
  }
  const EncoderSpec& spec = encoder_spec("bert", ErrorCode::kInternal, "input");
  try {
    const LoraConfig lora =
        settle_targets(config.lora, spec, spec.defaults, ErrorCode::kBadModel, {.file = "input"});
    fuzz::require(lora.rank >= 1 && !lora.targets.empty());
    size_t adapted = 0;
    for (const std::string& module : linear_modules(spec, spec.defaults)) {
      adapted += lora.targets_module(module) ? 1 : 0;
    }
    fuzz::require(adapted > 0);
    config.lora = lora;
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kBadModel);
    return 0;
  }
  // From here on nothing may throw.
  const std::string text = adapter_config_text(config);
  fuzz::require(adapter_config_text(parse_adapter_config(text, "written")) == text);
  return 0;
}
