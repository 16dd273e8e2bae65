#pragma once
// What a file is that people take for data and that is not read: told from its first bytes (or, for
// a directory, from what is in it), with the way to export it to a form that is read.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace spanforge {

// "is a Parquet file; write it as JSON lines first: ...": the reason of an error. nullopt: nothing
// that is known. REQUIRES: `bytes` is the whole file, or at least its first 64 KiB.
std::optional<std::string> unread_kind(std::string_view bytes);

// The same of texts: a web page, a Python list, YAML, a Git LFS pointer, ...
std::optional<std::string> unread_text_kind(std::string_view text);

// Error{kBadData, path} for a directory that Hugging Face's datasets wrote.
void refuse_unread_directory(const std::filesystem::path& path);

}  // namespace spanforge
