// Any bytes as a file in a named encoding (the first byte says which), or in one to be recognised.
// The result is UTF-8, or the bytes themselves, or an Error.
#include <array>

#include "spanforge/base/utf8.h"
#include "spanforge/data/source_text.h"
#include "support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  constexpr std::array kEncodings = {"",       "GB18030", "Big5",   "Shift_JIS", "windows-1252",
                                     "UTF-8",  "UTF-7",   "UTF-16", "UTF-32",    "ISO-2022-JP",
                                     "EUC-KR", "HZ",      "SCSU",   "nonsense",  "ISO-2022-CN"};
  if (size == 0) return 0;
  const std::string encoding = kEncodings[data[0] % kEncodings.size()];
  const std::string_view bytes = fuzz::view_of(data + 1, size - 1);
  try {
    const SourceText source = read_source_text(bytes, "fuzzed", encoding);
    fuzz::require(!source.encoding.empty());
    if (source.converted.empty()) {
      fuzz::require(bytes.ends_with(source.text) || source.text.empty());
    } else {
      fuzz::require(source.text.data() == source.converted.data() &&
                    !find_invalid_utf8(source.text));
    }
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kBadData
                      ? error.file() == "fuzzed"
                      : encoding == "nonsense" && error.parameter() == "encoding");
  }
  return 0;
}
