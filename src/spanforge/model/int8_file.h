#pragma once
// What: The one weight file of an int8 model, model.int8.safetensors (docs/int8.md). It has a name
//   of its own, so that no other program takes it for f32 weights.
// Format: a safetensors file whose data begin at a multiple of 64 bytes; metadata format =
//   "spanforge-int8", version = "1". Tensors: for every linear layer of every block, LAYER.LINEAR
//   with LINEAR one of qkv, attention_output, intermediate, output:
//     .weight        I8 [stripes, pairs, 2, 16, 16, 4]: ops/packed_layout.h
//     .weight_scale  F32 [outputs]
//     .bias          F32 [outputs]
//     .input_range   F32 [2]: scale, zero point
//   every other parameter as F32 under its Hugging Face name; and `padding`, which has no meaning.

#include <array>
#include <filesystem>
#include <vector>

#include "spanforge/model/linear_form.h"
#include "spanforge/model/model.h"

namespace spanforge {

class DirectoryWriter;  // io/directory_writer.h

// By layer and BlockLinear.
using Int8Ranges = std::vector<std::array<ops::InputRange, kBlockLinears>>;

// True if the directory has that file and no weights of another kind.
bool is_int8_directory(const std::filesystem::path& directory);

// Writes the file. The caller writes config.json and the tokenizer's files next to it.
void write_int8_file(DirectoryWriter& writer, const QuestionAnsweringModel& model,
                     const Int8Ranges& ranges);

}  // namespace spanforge
