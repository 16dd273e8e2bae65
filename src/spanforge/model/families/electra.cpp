#include "spanforge/model/families/family.h"

namespace spanforge::families {

// Clark et al. 2020, the discriminator: BERT's network; a linear layer widens embeddings that are
// narrower than the blocks.
EncoderSpec electra() {
  EncoderSpec spec = bert();
  spec.model_type = "electra";
  spec.architecture = "ElectraForQuestionAnswering";
  spec.base_prefix = "electra.";
  spec.config_keys.push_back({"embedding_size", &ModelConfig::embedding_size});
  spec.defaults.embedding_size = 128;
  spec.defaults.hidden_size = 256;
  spec.defaults.num_attention_heads = 4;
  spec.defaults.intermediate_size = 1024;
  spec.embeddings.width = &ModelConfig::embedding_size;
  spec.embeddings.projection = "embeddings_project";
  return spec;
}

}  // namespace spanforge::families
