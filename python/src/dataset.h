#pragma once

#include <memory>
#include <string>

#include "spanforge/data/dataset.h"

namespace spanforge::python {

// A Dataset as Python holds it: it does not change.
struct HeldDataset {
  std::shared_ptr<const Dataset> data;
  std::string sha256;  // of the bytes it was read from
};

}  // namespace spanforge::python
