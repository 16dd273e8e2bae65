#pragma once
// Reads and writes weights of Hugging Face directories.
// Names: HF's, with or without the base model's prefix ("bert."). weight_names.h cleans others.
//   Stored as f16, bf16, f32 or f64; always f32 in memory.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/formats/weights.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/model/weight_names.h"

namespace spanforge {

class DirectoryWriter;  // io/directory_writer.h

struct WeightMatch {
  std::vector<const StoredTensor*> stored;  // by row of the table; nullptr: made new
  LoadReport report;
};

// One line that says how the file names the weights and what was removed from their names; nullopt
// if nothing was.
std::optional<std::string> weights_note(const WeightFiles& files, const WeightNames& names);

// The tensors under the names of Hugging Face's directories: prefixes and wrappers are removed.
// The tensors may belong to any family. note: receives the line of weights_note().
std::vector<StoredTensor> tensors_without_prefix(const WeightFiles& files,
                                                 std::optional<std::string>& note);

// Finds every row's weights among the files' tensors by name and shape. Reads no data.
// may_lack_head: rows of the head may be missing and are then reported as initialized.
// Errors: Error{kBadModel, file} naming each weight that is missing, misshaped, duplicate or of a
// type that cannot hold weights.
WeightMatch match_weights(const WeightFiles& files, const EncoderSpec& spec,
                          const ParameterTable& table, bool may_lack_head);

// "NAME (is [8,768], config.json says [4,768])", or what is wrong with its type; nullopt if it
// fits. says: the file that gives the parameter's shape.
std::optional<std::string> misfit(const StoredTensor& stored, const Parameter& parameter,
                                  const char* says);
// Appends "2 weights are missing: a, b" to a reason; nothing if there are no items.
void add_complaint(std::string& reason, const std::string& what,
                   const std::vector<std::string>& items);

// Elements [first, first + count) of a stored tensor as f32.
void read_elements(const WeightFiles& files, const StoredTensor& stored, int64_t first,
                   int64_t count, float* to);
// Throws Error{kBadModel, file} naming each weight and its first element that is NaN or Inf. Does
// nothing if the map is empty.
void complain_of_non_finite(const WeightFiles& files,
                            const std::map<std::string, int64_t>& first_elements);

// Copies the matched weights into a flat f32 arena. Errors: Error{kBadModel, file} naming each
// weight that holds NaN or Inf.
void copy_weights(const WeightFiles& files, const WeightMatch& match, const ParameterTable& table,
                  const Tensor& arena);

// Writes model.safetensors, streamed from the arena.
void write_weights(DirectoryWriter& writer, const ParameterTable& table, const Tensor& arena);

}  // namespace spanforge
