#include "staged_directory.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"

namespace spanforge::app {

StagedDirectory::StagedDirectory(std::filesystem::path target) : target_(std::move(target)) {
  if (!target_.has_filename()) target_ = target_.parent_path();  // "out/" means "out"
  std::error_code error;
  if (fs::exists(target_, error) &&
      !(fs::is_directory(target_, error) && fs::is_empty(target_, error))) {
    throw Error(ErrorCode::kUsage, target_.string(), "is there already; name a new directory");
  }
  const fs::path parent = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  for (fs::path missing = parent; !missing.empty() && !fs::exists(missing, error);
       missing = missing.parent_path()) {
    made_parent_ = missing;
  }
  spanforge::create_directories(parent);
  std::string pattern =
      (parent / fmt::format(".{}.partial-XXXXXX", target_.filename().string())).string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw Error(ErrorCode::kIo, target_.string(), std::strerror(errno));
  }
  staging_ = pattern;
}

StagedDirectory::~StagedDirectory() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  if (!made_parent_.empty()) fs::remove_all(made_parent_, ignored);
}

void StagedDirectory::commit() {
  std::error_code error;
  fs::permissions(staging_,
                  fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                      fs::perms::others_read | fs::perms::others_exec,
                  error);
  sync_directory(staging_);
  fs::rename(staging_, target_, error);
  if (error) throw Error(ErrorCode::kIo, target_.string(), error.message());
  committed_ = true;
  sync_directory(target_.has_parent_path() ? target_.parent_path() : fs::path("."));
}

}  // namespace spanforge::app
