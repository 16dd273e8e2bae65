#include "data_input.h"

#include "flags.h"
#include "output.h"
#include "spanforge/data/column_names.h"
#include "spanforge/data/soundness.h"

namespace spanforge::app {
namespace {

// Prints Dataset::notes. From here on, texts about faults name flags.
Dataset prepared(Dataset dataset) {
  for (const std::string& line : dataset.notes) {
    note(fmt::format("{}: {}", quote_for_message(dataset.file.string(), 4096), line));
  }
  for (RowFault& fault : dataset.faults) fault.reason = with_flags(fault.reason);
  return dataset;
}

}  // namespace

void DataInput::declare(OptionTable& table) {
  table(kColumnsOption, columns);
  table(kEncodingOption, encoding);
}

ReadOptions DataInput::options() const { return {encoding, parse_columns(columns)}; }

Dataset DataInput::read(const std::string& file) const {
  return prepared(read_dataset(file, options()));
}

Dataset DataInput::read(const MappedFile& file) const {
  return prepared(read_dataset(file, options()));
}

Dataset DataInput::load(const std::string& file) const {
  Dataset dataset = read(file);
  if (const auto line = faults_line(dataset)) note(*line);
  return dataset;
}

}  // namespace spanforge::app
