#include <algorithm>
#include <memory>

#include "common.h"
#include "output.h"
#include "progress.h"
#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/hub/hub.h"

namespace spanforge::app {
namespace {

// A bar a file, in megabytes.
class DownloadBars {
 public:
  void update(const std::string& file, uint64_t done, uint64_t total) {
    if (!bar_ || file != file_) {
      if (bar_) bar_->finish();
      file_ = file;
      bar_ = std::make_unique<ProgressBar>(file, "MB", static_cast<int64_t>(total / 1000000));
    }
    bar_->update(static_cast<int64_t>(done / 1000000));
  }

 private:
  std::string file_;
  std::unique_ptr<ProgressBar> bar_;
};

bool looks_like_a_path(const std::string& model) {
  return model[0] == '/' || model[0] == '.' || model[0] == '~' || model.back() == '/' ||
         std::count(model.begin(), model.end(), '/') > 1;
}

std::filesystem::path resolve(const std::string& model, bool verify) {
  const std::filesystem::path directory(model);
  if (directory_exists(directory)) {
    const std::filesystem::path trained = directory / "trained";
    if (directory_exists(trained) && !path_exists(directory / "config.json")) {
      throw Error(ErrorCode::kIo, model,
                  fmt::format("is a training's output; its model is {}", trained.string()));
    }
    return directory;
  }
  if (path_exists(model)) {
    throw Error(ErrorCode::kIo, model, "is a file; --model names a model's directory or a hub id");
  }
  if (model.empty()) throw Error(ErrorCode::kUsage, "--model", "is empty");
  if (looks_like_a_path(model)) throw Error(ErrorCode::kIo, model, "no such directory");
  HubOptions options = hub_options_from_environment();
  DownloadBars bars;
  options.verify = verify;
  options.progress = [&bars](const std::string& file, uint64_t done, uint64_t total) {
    bars.update(file, done, total);
  };
  options.notice = [](const std::string& line) { note(line); };
  return spanforge::resolve_model(model, options);
}

}  // namespace

std::filesystem::path resolve_model(const std::string& model) { return resolve(model, false); }
std::filesystem::path resolve_and_verify_model(const std::string& model) {
  return resolve(model, true);
}

}  // namespace spanforge::app
