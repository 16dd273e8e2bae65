// Any bytes: parse_json gives a value or an Error; a value dumps to text that parses to itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "spanforge/base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  try {
    const Json value =
        parse_json({reinterpret_cast<const char*>(data), size}, "f", ErrorCode::kBadData);
    python_str(value);
    for (const PythonJsonStyle& style :
         {PythonJsonStyle{}, PythonJsonStyle{.indent = 2, .ensure_ascii = false}}) {
      if (parse_json(dump_python_json(value, style), "f", ErrorCode::kBadData) != value)
        std::abort();
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadData || error.place().text().empty()) std::abort();
  }
  return 0;
}
