#include "spanforge/serve/models.h"

namespace spanforge::serve {

ModelPtr Models::find(std::string_view name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const ModelPtr& model : models_) {
    if (name.empty() || model->name == name) return model;
  }
  return nullptr;
}

std::vector<ModelPtr> Models::all() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return models_;
}

void Models::replace(ModelPtr model) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (ModelPtr& known : models_) {
    if (known->name == model->name) known.swap(model);
  }
}

}  // namespace spanforge::serve
