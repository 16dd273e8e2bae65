#pragma once
// Turns the names of stored weights into those of a family's parameter table. It undoes
// LayerNorm.gamma and beta, TensorFlow's old names; the segments that wrappers insert into names
// (torch.compile, FSDP); and one prefix that a training script's own class put before all of them:
// DataParallel's "module.", or "model.", "encoder.", "bert." before "bert.".

#include <string>
#include <string_view>
#include <vector>

#include "spanforge/formats/stored_tensor.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {

class WeightNames {
 public:
  // Finds the prefix: the part before the word embeddings' name, less the family's own prefix.
  // Errors: Error{kBadModel, place} if several prefixes are possible, or if the names are those of
  // another family ("roberta.").
  WeightNames(const std::vector<StoredTensor>& tensors, const EncoderSpec& spec,
              const std::string& place);

  // What clean() removes: wrappers' segments and the prefix. Empty if names are as they should be.
  std::vector<std::string> taken_off() const;
  // The name as in the parameter table; the family's own prefix may be missing. The head's name may
  // follow the whole prefix or its beginning ("module." of "module.model.").
  std::string clean(std::string_view stored) const;

 private:
  const EncoderSpec& spec_;
  std::string prefix_;
  std::vector<std::string> wrappers_;
};

// True if the names clearly belong to this family: they begin with its prefix, or have none.
// False: they belong to another family or to several models, or have no word embeddings.
bool names_fit(const std::vector<StoredTensor>& tensors, const EncoderSpec& spec);

}  // namespace spanforge
