#pragma once
// What: the served models, by name. A request keeps the model that it began with, even if the model
//   is replaced meanwhile.
// Threads: all methods are concurrent.

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/inference/pipeline.h"

namespace spanforge::serve {

struct ServedModel {
  std::string name;
  std::string version;  // made of its files' names and contents
  Pipeline pipeline;
};
using ModelPtr = std::shared_ptr<const ServedModel>;

class Models {
 public:
  explicit Models(std::vector<ModelPtr> models) : models_(std::move(models)) {}
  ModelPtr find(std::string_view name) const;  // "": the first; nullptr: there is none
  std::vector<ModelPtr> all() const;
  void replace(ModelPtr model);  // replaces the one of the same name

 private:
  mutable std::mutex mutex_;
  std::vector<ModelPtr> models_;
};

}  // namespace spanforge::serve
