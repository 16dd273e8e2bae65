#include "common.h"
#include "spanforge/base/error.h"

namespace spanforge::app {

std::filesystem::path resolve_model(const std::string& model) {
  std::error_code error;
  if (std::filesystem::is_directory(model, error)) return model;
  if (std::filesystem::exists(model, error)) {
    throw Error(ErrorCode::kIo, model, "is a file; --model names a model's directory");
  }
  throw Error(ErrorCode::kIo, model, "no such directory");
}

}  // namespace spanforge::app
