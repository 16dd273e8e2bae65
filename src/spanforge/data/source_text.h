#pragma once
// What: converts the text of a data file to UTF-8. Recognises a byte order mark (UTF-8, UTF-16,
//   UTF-32), UTF-16 without one, UTF-8, and GB18030 if the bytes are not UTF-8 and look like it.

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace spanforge {

struct SourceText {
  SourceText() = default;
  SourceText(SourceText&& other) noexcept;
  SourceText& operator=(SourceText&& other) noexcept;
  std::string_view text;  // UTF-8 without byte order mark; views the argument, or `converted`
  std::string converted;
  std::string encoding;  // "UTF-8", "UTF-16LE", "GB18030", ...
};

// encoding: see ReadOptions; a UTF-8 byte order mark overrides it. file: for messages. Bytes of no
// recognised encoding are returned unchanged: the parser reports invalid UTF-8.
// Errors: Error{kUsage, parameter "encoding"} for a name that ICU does not know; Error{kBadData,
// file} with the byte that does not fit the encoding, or for a kind of file that is not read
// (unread_kind.h).
SourceText read_source_text(std::string_view bytes, const std::filesystem::path& file,
                            const std::string& encoding);

}  // namespace spanforge
