#pragma once
// What: Converts a trained model to int8 (docs/int8.md), and compares the scores of both.

#include <filesystem>
#include <string>

#include "spanforge/data/dataset.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/evaluation/evaluate.h"
#include "spanforge/model/model_directory.h"

namespace spanforge {

class DirectoryWriter;  // io/directory_writer.h

struct Int8Options {
  double share = 0.99999;   // of the values of a layer's input that its range must hold
  int32_t windows = 256;    // for the ranges; of questions spread evenly over the calibration data
  double max_drop = 0.3;    // of exact match and of F1, in points
  int32_t batch_size = 16;  // windows computed at the same time
};

struct Int8Scores {
  struct Scores {
    double exact = 0, f1 = 0;
  };
  Scores before, after;
  size_t questions = 0;
};

// Writes model.int8.safetensors of the model in `source` with `writer`, which has already written
// the model's other files. Errors: Error{kBadModel, name} with both models' scores if one score
// falls by more than max_drop; the caller then discards the directory.
Int8Scores convert_to_int8(const ModelDirectory& source, const std::string& name,
                           const Dataset& calibration, const Dataset& validation,
                           const Int8Options& options, DirectoryWriter& writer);

}  // namespace spanforge
