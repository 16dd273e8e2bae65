#include "spanforge/model/families/family.h"

namespace spanforge::families {

// Liu et al. 2019: BERT's network; positions are counted from after the padding row, and there is
// one token type.
EncoderSpec roberta() {
  EncoderSpec spec = bert();
  spec.model_type = "roberta";
  spec.architecture = "RobertaForQuestionAnswering";
  spec.base_prefix = "roberta.";
  spec.defaults.vocab_size = 50265;
  spec.defaults.pad_token_id = 1;
  spec.embeddings.positions = PositionRule::kBehindPadding;
  spec.embeddings.tables[1].has_padding_row = true;
  return spec;
}

}  // namespace spanforge::families
