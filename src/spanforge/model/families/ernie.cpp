#include "spanforge/model/families/family.h"

namespace spanforge::families {

// Sun et al. 2019 to 2021 (1.0 to 3.0): BERT's network; models that learned several tasks add the
// first row of a table of tasks.
EncoderSpec ernie() {
  EncoderSpec spec = bert();
  spec.model_type = "ernie";
  spec.architecture = "ErnieForQuestionAnswering";
  spec.base_prefix = "ernie.";
  spec.config_keys.push_back({"task_type_vocab_size", &ModelConfig::task_type_vocab_size});
  spec.config_keys.push_back({"use_task_id", &ModelConfig::use_task_id});
  spec.embeddings.tables.push_back({"embeddings.task_type_embeddings",
                                    &ModelConfig::task_type_vocab_size, EmbeddingIds::kZeros,
                                    /*has_padding_row=*/false, &ModelConfig::use_task_id});
  return spec;
}

}  // namespace spanforge::families
