#pragma once
// What: files that another process cuts off while they are mapped (io/file.h). The system answers
//   who touches the lost pages with SIGBUS, which cannot become an exception. Signals belong to the
//   program, so the library catches none; a program that wants its user told asks for it once,
//   here.
// Not here: bytes lost up to the end of a page, which read as zeros (MappedFile::expect_whole), and
//   who copies instead of touching (MappedFile::copy).

#include <filesystem>
#include <string_view>

namespace spanforge {

inline constexpr const char* kCutOff = "was cut off while it was in use; start again";

// From now on such a touch ends the process: PREFIX and "FILE: was cut off ..." on standard error
// as one line, and the exit code of ErrorCode::kIo. A disk that cannot read the page looks the
// same. Every other SIGBUS does what it did. prefix: lives as long as the process.
void end_when_mapped_file_is_cut_off(const char* prefix);

// For MappedFile: which addresses are whose. Any number of threads.
void note_mapping(std::string_view bytes, const std::filesystem::path& path);
void forget_mapping(std::string_view bytes);

}  // namespace spanforge
