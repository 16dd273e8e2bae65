#pragma once
// A directory that comes to be whole or not at all: files are written into a hidden sibling, which
// is renamed to its name by commit(). Without commit() nothing is left.

#include <filesystem>

namespace spanforge::app {

class StagedDirectory {
 public:
  // Errors: Error{kUsage} where `target` is there already and is not an empty directory;
  // Error{kIo} where its parent cannot be written to. Parents are made by commit().
  explicit StagedDirectory(std::filesystem::path target);
  ~StagedDirectory();
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  const std::filesystem::path& path() const { return staging_; }
  void commit();

 private:
  std::filesystem::path target_, staging_;
  std::filesystem::path made_parent_;  // topmost parent made here; removed again without commit()
  bool committed_ = false;
};

}  // namespace spanforge::app
