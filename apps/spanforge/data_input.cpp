#include "data_input.h"

#include "output.h"
#include "spanforge/data/column_names.h"
#include "spanforge/data/soundness.h"

namespace spanforge::app {

void DataInput::declare(OptionTable& table) {
  table(kColumnsOption, columns);
  table(kEncodingOption, encoding);
}

ReadOptions DataInput::options() const { return {encoding, parse_columns(columns)}; }

Dataset DataInput::read(const std::string& file) const {
  Dataset dataset = read_dataset(file, options());
  note_reading(dataset);
  return dataset;
}

Dataset DataInput::read(const MappedFile& file) const {
  Dataset dataset = read_dataset(file, options());
  note_reading(dataset);
  return dataset;
}

Dataset DataInput::load(const std::string& file) const {
  Dataset dataset = read(file);
  if (const auto line = faults_line(dataset)) note(*line);
  return dataset;
}

void note_reading(const Dataset& dataset) {
  for (const std::string& line : dataset.notes) {
    note(fmt::format("{}: {}", quote_for_message(dataset.file.string(), 4096), line));
  }
}

}  // namespace spanforge::app
