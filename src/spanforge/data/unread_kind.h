#pragma once
// Recognizes kinds of files that are not read although people use them for data, by the first bytes
// (a directory by its files), and says how to export them.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace spanforge {

// The reason of an error: "is a Parquet file; write it as JSON lines first: ...". nullopt: no known
// kind. REQUIRES: `bytes` is the whole file, or at least its first 64 KiB.
std::optional<std::string> unread_kind(std::string_view bytes);

// The same for texts: a web page, a Python list, YAML, a Git LFS pointer, ...
std::optional<std::string> unread_text_kind(std::string_view text);

// Throws Error{kBadData, path} for a directory that Hugging Face's datasets wrote.
void refuse_unread_directory(const std::filesystem::path& path);

}  // namespace spanforge
