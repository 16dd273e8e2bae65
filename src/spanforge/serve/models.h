#pragma once
// The models that are served, by name. A request keeps the one that it began with; another may take
// its place meanwhile. Threads: all methods are concurrent.

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/inference/pipeline.h"

namespace spanforge::serve {

struct ServedModel {
  std::string name;
  std::string version;  // of its files' contents
  Pipeline pipeline;
};
using ModelPtr = std::shared_ptr<const ServedModel>;

class Models {
 public:
  explicit Models(std::vector<ModelPtr> models) : models_(std::move(models)) {}
  ModelPtr find(std::string_view name) const;  // "": the first; nullptr: there is none of the name
  std::vector<ModelPtr> all() const;
  void replace(ModelPtr model);  // the one of its name

 private:
  mutable std::mutex mutex_;
  std::vector<ModelPtr> models_;
};

}  // namespace spanforge::serve
