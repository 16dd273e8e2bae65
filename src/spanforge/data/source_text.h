#pragma once
// What: the text of a data file as UTF-8, whatever encoding it was written in.
//   Recognised: a byte order mark (UTF-8, UTF-16, UTF-32), UTF-16 without one, UTF-8, and GB18030
//   where the bytes are no UTF-8 and read well as that.

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace spanforge {

struct SourceText {
  SourceText() = default;
  SourceText(SourceText&& other) noexcept;
  SourceText& operator=(SourceText&& other) noexcept;
  std::string_view text;  // UTF-8 without byte order mark; of the bytes given, or of `converted`
  std::string converted;
  std::string encoding;  // "UTF-8", "UTF-16LE", "GB18030", ...
};

// encoding: as in ReadOptions. file: for messages. Bytes that are UTF-8, or nothing else that is
// recognised, are handed on as they are: who parses them says where they are no UTF-8.
// Errors: Error{kUsage, parameter "encoding"} for a name ICU does not know; Error{kBadData, file}
// with the byte where the encoding does not fit, or with what the file is where that is not read
// (unread_kind.h). A UTF-8 byte order mark goes before the name given.
SourceText read_source_text(std::string_view bytes, const std::filesystem::path& file,
                            const std::string& encoding);

}  // namespace spanforge
