#pragma once
// Owns the parts of an AnsweringModel. They come from the files of a Hugging Face directory or
// from the one file of an int8 model, which stay mapped as long as the parts are used; or from an
// adapter that is merged into its base, in memory.

#include <filesystem>
#include <memory>
#include <string>

#include "spanforge/model/block.h"
#include "spanforge/model/linear_form.h"
#include "spanforge/model/model.h"

namespace spanforge {

class AnsweringWeights {
 public:
  virtual ~AnsweringWeights() = default;
  virtual void expect_whole() const = 0;  // MappedFile::expect_whole() of all files
  // Fills in BlockPart::projected_distances, which no input changes. dtype: of the activations.
  void project_distances(const EncoderShape& shape, DType dtype);
  AnsweringParts parts;

 private:
  // Applies the block's query, key and value layer to rows x of the table of distances.
  virtual void project_rows(size_t block, const Tensor& x, const Tensor& y) const {
    parts.blocks[block].qkv(x, y);
  }
  ActivationArena projected_;
};

std::unique_ptr<AnsweringWeights> load_stored_weights(const std::filesystem::path& directory,
                                                      const std::string& source,
                                                      const EncoderSpec& spec,
                                                      const ParameterTable& table,
                                                      Precision precision, LoadReport* report);

std::unique_ptr<AnsweringWeights> load_merged_weights(const ModelDirectory& adapter,
                                                      const std::string& source,
                                                      Precision precision, LoadReport* report);

std::unique_ptr<AnsweringWeights> load_int8_weights(const std::filesystem::path& directory,
                                                    const EncoderSpec& spec,
                                                    const ParameterTable& table);

}  // namespace spanforge
