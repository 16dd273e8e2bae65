#pragma once
// What a test saves into a directory, which is made.

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
