#include "spanforge/io/directory_writer.h"

#include <utility>

namespace spanforge {

DirectoryWriter::DirectoryWriter(fs::path directory, Sync sync)
    : directory_(std::move(directory)), sync_(sync) {}

AtomicFile DirectoryWriter::create(const std::string& name) {
  return AtomicFile(directory_ / name, this);
}

void DirectoryWriter::write(const std::string& name, std::string_view bytes) {
  AtomicFile file = create(name);
  file.write(bytes);
  file.commit();
}

void DirectoryWriter::write_json(const std::string& name, const Json& value,
                                 const PythonJsonStyle& style) {
  write(name, dump_python_json(value, style) + "\n");
}

std::vector<WrittenFile> DirectoryWriter::written() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return written_;
}

void DirectoryWriter::note(WrittenFile file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  written_.push_back(std::move(file));
}

}  // namespace spanforge
