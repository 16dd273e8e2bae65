#pragma once
// Names of stored weights as a family's parameter table has them. What is undone: LayerNorm.gamma
// and beta of TensorFlow's times; the segments that wrappers put into names (torch.compile, FSDP);
// and one prefix that a training script's own class put before all of them: DataParallel's
// "module.", or "model.", "encoder.", "bert." before "bert.".

#include <string>
#include <string_view>
#include <vector>

#include "spanforge/formats/stored_tensor.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {

class WeightNames {
 public:
  // Finds the prefix. It is what stands before the word embeddings' name, less the family's own.
  // Errors: Error{kBadModel, place} where several prefixes are possible, or where the names are
  // those of another family ("roberta.").
  WeightNames(const std::vector<StoredTensor>& tensors, const EncoderSpec& spec,
              const std::string& place);

  // What is taken off: wrappers' segments, and the prefix. Empty where names are as they should be.
  std::vector<std::string> taken_off() const;
  // The name in the parameter table's spelling, but for the family's prefix, which may lack. The
  // head may stand behind the prefix or behind the beginning of it ("module." of "module.model.").
  std::string clean(std::string_view stored) const;

 private:
  const EncoderSpec& spec_;
  std::string prefix_;
  std::vector<std::string> wrappers_;
};

// True where the names are plainly this family's: they begin with its prefix, or have none. false:
// another family's, several models', or no word embeddings at all.
bool names_fit(const std::vector<StoredTensor>& tensors, const EncoderSpec& spec);

}  // namespace spanforge
