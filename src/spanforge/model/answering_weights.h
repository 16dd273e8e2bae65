#pragma once
// Where an AnsweringModel's parts come from: the files of a Hugging Face directory, or the one of
// an int8 model, which both keep the files mapped for as long as the parts are used; or an adapter
// merged into its base, in memory.

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
  virtual void expect_whole() const = 0;  // of all files, as MappedFile's
  // Fills in BlockPart::projected_distances, which no input changes. dtype: of activations.
  void project_distances(const EncoderShape& shape, DType dtype);
  AnsweringParts parts;

 private:
  // y = the block's query, key and value layer of rows x of the table of distances.
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
