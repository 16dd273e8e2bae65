#pragma once
// How a command reads data: the options --columns and --encoding, and a note for what was not
// plain.

#include <string>

#include "options.h"
#include "spanforge/data/dataset.h"

namespace spanforge::app {

struct DataInput {
  std::string columns, encoding;

  void declare(OptionTable& table);
  // Errors: Error{kUsage, "--columns"}.
  ReadOptions options() const;
  // read_dataset and load_dataset, and the dataset's notes.
  Dataset read(const std::string& file) const;
  Dataset load(const std::string& file) const;
};

// Notes for people what Dataset::notes says.
void note_reading(const Dataset& dataset);

}  // namespace spanforge::app
