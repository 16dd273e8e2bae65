#include <algorithm>
#include <memory>

#include "common.h"
#include "output.h"
#include "progress.h"
#include "spanforge/base/error.h"
#include "spanforge/hub/hub.h"
#include "spanforge/io/file.h"

namespace spanforge::app {
namespace {

// One bar per file. The first call for a file comes before its first byte.
class DownloadBars {
 public:
  ~DownloadBars() { finish(); }
  void update(const std::string& file, uint64_t done, uint64_t total) {
    if (!bar_ || file != file_ || done < done_) {  // `done` falls if a server starts again
      if (bar_ && file != file_) finish();
      file_ = file;
      bar_ = std::make_unique<ProgressBar>(quote_for_message(file, 40), "B",
                                           static_cast<int64_t>(total), static_cast<int64_t>(done));
    }
    done_ = done;
    total_ = total;
    bar_->update(static_cast<int64_t>(done));
  }

 private:
  void finish() {
    if (bar_ && done_ == total_) bar_->finish();
    bar_.reset();  // erases the bar of an incomplete file
  }
  uint64_t done_ = 0, total_ = 0;
  std::string file_;
  std::unique_ptr<ProgressBar> bar_;
};

bool looks_like_a_path(const std::string& model) {
  return model[0] == '/' || model[0] == '.' || model[0] == '~' || model.back() == '/' ||
         std::count(model.begin(), model.end(), '/') > 1;
}

std::string path_advice(const std::string& model) {
  if (model[0] == '~') return "; only a shell expands ~, and not within quotes";
  if (model.back() == '/') return "; if it is a hub id, omit the / at its end";
  return "; it was not looked for at the hub, whose ids have the form org/name[@revision]";
}

ModelDirectory resolve(const std::string& model, bool verify) {
  const std::filesystem::path directory(model);
  const ResolveBase resolve_base = [verify](const std::string& base) {
    return resolve(base, verify);
  };
  if (directory_exists(directory)) {
    const std::filesystem::path trained = directory / "trained";
    if (directory_exists(trained) && !path_exists(directory / "config.json")) {
      throw Error(ErrorCode::kIo, model,
                  fmt::format("is a training's output; its model is {}", trained.string()));
    }
    return open_model_directory(directory, resolve_base);
  }
  if (path_exists(model)) {
    throw Error(ErrorCode::kIo, model, "is a file; `model` names a model's directory or a hub id");
  }
  if (model.empty()) throw Error(ErrorCode::kUsage, {.parameter = "model"}, "is empty");
  if (looks_like_a_path(model) && !is_hub_address(model)) {
    throw Error(ErrorCode::kIo, model, "no such directory" + path_advice(model));
  }
  HubOptions options = hub_options_from_environment();
  DownloadBars bars;
  options.verify = verify;
  if (options.show_progress)
    options.progress = [&bars](const std::string& file, uint64_t done, uint64_t total) {
      bars.update(file, done, total);
    };
  options.notice = [](const std::string& line) { note(line); };
  ModelDirectory found =
      open_model_directory(spanforge::resolve_model(model, options), resolve_base);
  if (!found.is_adapter()) {
    const HubId id = parse_hub_id(model, options.endpoint);
    found.hub_id = id.repository;
    if (id.revision != HubId().revision) found.hub_revision = id.revision;
  }
  return found;
}

}  // namespace

ModelDirectory resolve_model(const std::string& model) { return resolve(model, false); }
ModelDirectory resolve_and_verify_model(const std::string& model) { return resolve(model, true); }

}  // namespace spanforge::app
