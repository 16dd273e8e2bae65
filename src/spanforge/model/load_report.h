#pragma once
// What loading noticed, in the words of transformers' from_pretrained (4.57). A message has several
// lines; names that come from files and from the command line are escaped and never end one.

#include <optional>
#include <string>
#include <vector>

namespace spanforge {

struct ModelConfig;

// What loading noticed, for the messages HF users know.
struct LoadReport {
  std::vector<std::string> unused;       // in the file, not in the model (the pooler, say)
  std::vector<std::string> initialized;  // made new (only the QA head may be)
  std::vector<std::string> notes;        // what was understood otherwise than written; a line each
};

// "Some weights of the model checkpoint at SOURCE were not used when initializing
// BertForQuestionAnswering: ['bert.pooler.dense.bias', ...]" and what to make of it. nullopt when
// everything was used. source: the directory or hub id the user named.
std::optional<std::string> unused_weights_message(const LoadReport& report,
                                                  const ModelConfig& config,
                                                  const std::string& source);

// "Some weights of BertForQuestionAnswering were not initialized from the model checkpoint at
// SOURCE and are newly initialized: ['qa_outputs.bias', 'qa_outputs.weight']", line end, "You
// should probably TRAIN this model ...". nullopt when nothing was made new.
std::optional<std::string> new_weights_message(const LoadReport& report, const ModelConfig& config,
                                               const std::string& source);

// The report with what reading config.json assumed before its notes.
LoadReport with_note(LoadReport report, const ModelConfig& config);

// The lines of a message, for printing each as a line of its own.
std::vector<std::string> message_lines(const std::string& message);

}  // namespace spanforge
