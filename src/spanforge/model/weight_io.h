#pragma once
// Weights in and out of Hugging Face directories.
// Names: HF's, with or without the base model's prefix ("bert."), and what weight_names.h undoes.
//   Stored as f16, bf16, f32 or f64; always f32 here.

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
  std::vector<const StoredTensor*> stored;  // by row of the table; nullptr: to be made new
  LoadReport report;
};

// One line that says where the weights stand in the file and what was taken off their names;
// nullopt: nowhere else and nothing.
std::optional<std::string> weights_note(const WeightFiles& files, const WeightNames& names);

// The tensors as Hugging Face's directories name them: without a prefix or wrappers where there are
// any, else as they are. Whose weights they are does not matter. note: receives weights_note()'s
// line.
std::vector<StoredTensor> tensors_without_prefix(const WeightFiles& files,
                                                 std::optional<std::string>& note);

// Finds every row's weights among the files' tensors, by name and shape; reads no data yet.
// may_lack_head: rows of the head may be missing, and are then reported as initialized.
// Errors: Error{kBadModel, file} naming each weight that is missing, misshaped, there twice or of a
// type that holds no weights.
WeightMatch match_weights(const WeightFiles& files, const EncoderSpec& spec,
                          const ParameterTable& table, bool may_lack_head);

// "NAME (is [8,768], config.json says [4,768])", or what is wrong with its type; nullopt: it fits.
// says: the file that asks for the parameter's shape.
std::optional<std::string> misfit(const StoredTensor& stored, const Parameter& parameter,
                                  const char* says);
// Appends "2 weights are missing: a, b" to a reason, where there are any.
void add_complaint(std::string& reason, const std::string& what,
                   const std::vector<std::string>& items);

// Elements [first, first + count) of a stored tensor as f32.
void read_elements(const WeightFiles& files, const StoredTensor& stored, int64_t first,
                   int64_t count, float* to);
// Error{kBadModel, file} naming each weight and its first element that is NaN or Inf; nothing where
// there is none.
void complain_of_non_finite(const WeightFiles& files,
                            const std::map<std::string, int64_t>& first_elements);

// Copies what was matched into a flat f32 arena. Errors: Error{kBadModel, file} naming each weight
// that holds NaN or Inf.
void copy_weights(const WeightFiles& files, const WeightMatch& match, const ParameterTable& table,
                  const Tensor& arena);

// Writes model.safetensors, streamed from the arena.
void write_weights(DirectoryWriter& writer, const ParameterTable& table, const Tensor& arena);

}  // namespace spanforge
