#include "data_input.h"

#include "output.h"
#include "spanforge/data/soundness.h"

namespace spanforge::app {

Dataset read_data(const std::string& file) {
  Dataset dataset = read_dataset(file);
  for (const std::string& line : dataset.notes) note(file + ": " + line);
  if (const auto line = faults_line(dataset)) note(*line);
  return dataset;
}

}  // namespace spanforge::app
