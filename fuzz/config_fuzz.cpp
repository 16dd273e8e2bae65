// An untrusted config.json: parsing either throws Error or gives a valid configuration. A parameter
// table can be built from it, and it stays the same when it is written and read again.

#include <cstdint>
#include <cstdlib>

#include "spanforge/base/error.h"
#include "spanforge/model/config.h"
#include "spanforge/model/encoder_spec.h"
#include "spanforge/model/parameter_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  ModelConfig config;
  try {
    config = ModelConfig::from_json_text({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const Error&) {
    return 0;
  }
  // From here on nothing may throw.
  config.check(ErrorCode::kInternal, {.where = "input"});
  const EncoderSpec& spec = encoder_spec(config.model_type, ErrorCode::kInternal, "input");
  const ParameterTable table = build_parameter_table(spec, config);
  if (table.arena_size < table.parameter_count) std::abort();
  const std::string text = config.to_json_text();
  if (ModelConfig::from_json_text(text, "written").to_json_text() != text) std::abort();
  return 0;
}
