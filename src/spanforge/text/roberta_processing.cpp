#include "spanforge/text/roberta_processing.h"

#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {
namespace {

Template around(const RobertaProcessing::Token& cls, const RobertaProcessing::Token& sep,
                bool is_pair) {
  Template out;
  out.types_overflow = true;
  out.add_special(cls, 0);
  out.add_sequence(0, 0);
  out.add_special(sep, 0);
  if (!is_pair) return out;
  out.add_special(sep, 0);
  out.add_sequence(1, 0);
  out.add_special(sep, 0);
  return out;
}

}  // namespace

RobertaProcessing::RobertaProcessing(const Token& cls, const Token& sep,
                                     std::unique_ptr<const OffsetTrimmer> trimmer)
    : PostProcessor(around(cls, sep, false), around(cls, sep, true)),
      trimmer_(std::move(trimmer)) {}

std::unique_ptr<const PostProcessor> build_roberta_processing(const JsonView& json,
                                                              const PartContext& context) {
  return std::make_unique<RobertaProcessing>(named_token(json.at("cls"), context),
                                             named_token(json.at("sep"), context),
                                             build_offset_trimmer(json, context));
}

}  // namespace spanforge
