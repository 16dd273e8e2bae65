#pragma once
// How a command reads data: the options --columns and --encoding, and a note for what was not
// plain.

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
  // Reads a data file whatever is wrong with single rows, and notes how it was understood.
  Dataset read(const std::string& file) const;
  Dataset read(const MappedFile& file) const;
  // The same, and notes what is at fault in it, in one line. Who needs sound rows asks for them
  // (data/soundness.h).
  Dataset load(const std::string& file) const;
};

}  // namespace spanforge::app
