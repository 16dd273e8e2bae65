// An untrusted trainer_state.json: reading either throws Error or gives a state that stays the same
// when it is written and read again.

#include <cstdint>
#include <cstdlib>

#include "spanforge/base/error.h"
#include "spanforge/train/state_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  TrainState state;
  std::filesystem::path best;
  try {
    const Json json =
        parse_json({reinterpret_cast<const char*>(data), size}, "input", ErrorCode::kBadModel);
    state = trainer_state_from_json(json, "input", best);
  } catch (const Error&) {
    return 0;
  }
  const std::string text = trainer_state_text({}, {}, state, best, Json::object());
  const Json written = parse_json(text, "written", ErrorCode::kBadModel);
  std::filesystem::path best_again;
  const TrainState again = trainer_state_from_json(written, "written", best_again);
  if (again.global_step != state.global_step || best_again != best) std::abort();
  if (again.log_history.size() != state.log_history.size()) std::abort();
  return 0;
}
