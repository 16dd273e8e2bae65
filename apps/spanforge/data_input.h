#pragma once
// How commands read data: the options --columns and --encoding, and a note about everything
// unusual.

#include <string>

#include "options.h"
#include "spanforge/data/dataset.h"

namespace spanforge {
class MappedFile;
}

namespace spanforge::app {

struct DataInput {
  std::string columns, encoding;

  void declare(OptionTable& table);
  // Errors: Error{kUsage, parameter "columns"}.
  ReadOptions options() const;
  // Reads a data file even if single rows are bad, and notes how it was read.
  Dataset read(const std::string& file) const;
  Dataset read(const MappedFile& file) const;
  // The same, and notes the faults in it in one line. A caller that needs faultless rows uses
  // data/soundness.h.
  Dataset load(const std::string& file) const;
};

}  // namespace spanforge::app
