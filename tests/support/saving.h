#pragma once
// Saves something into a directory, which it creates.

#include <filesystem>

#include "spanforge/io/directory_writer.h"

namespace spanforge::testing {

template <class Saved>
void save_in(const std::filesystem::path& directory, const Saved& saved) {
  spanforge::create_directories(directory);
  DirectoryWriter writer(directory);
  saved.save(writer);
}

}  // namespace spanforge::testing
