#include "spanforge/text/post_processor.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {
namespace {

struct Piece {  // of a template, before its special tokens are known
  int32_t sequence;
  std::string token;
  int32_t type_id;
};

int32_t type_id_of(const JsonView& json) { return static_cast<int32_t>(json.integer(0, 1000)); }

Piece build_piece(const JsonView& json) {
  if (json.has("Sequence")) {
    const JsonView sequence = json.at("Sequence");
    const std::string id = sequence.at("id").string();
    if (id != "A" && id != "B") sequence.at("id").fail("a sequence is \"A\" or \"B\"");
    return {id == "A" ? 0 : 1, "", type_id_of(sequence.at("type_id"))};
  }
  const JsonView token = json.at("SpecialToken");
  return {-1, token.at("id").string(), type_id_of(token.at("type_id"))};
}

int32_t known_id(const JsonView& json, const PartContext& context) {
  const int64_t id = json.integer();
  if (id < 0 || id > Vocabulary::kMaxId ||
      (!context.vocabulary->has_id(static_cast<int32_t>(id)) &&
       context.added->find_id(static_cast<int32_t>(id)) == nullptr)) {
    json.fail(fmt::format("the vocabulary has no token with id {}", id));
  }
  return static_cast<int32_t>(id);
}

// A special token of a template. It may have several ids.
using SpecialMap = std::map<std::string, std::vector<std::pair<int32_t, std::string>>>;

SpecialMap build_specials(const JsonView& json, const PartContext& context) {
  SpecialMap specials;
  for (const auto& [name, token] : json.members()) {
    const auto ids = token.at("ids").items();
    const auto texts = token.at("tokens").items();
    if (ids.size() != texts.size()) token.fail("the numbers of ids and tokens must be equal");
    for (size_t i = 0; i < ids.size(); ++i) {
      specials[name].emplace_back(known_id(ids[i], context), texts[i].string());
    }
  }
  return specials;
}

Template build_template(const JsonView& json, const SpecialMap& specials, bool pair) {
  Template out;
  for (const JsonView& item : json.items()) {
    const Piece piece = build_piece(item);
    if (piece.sequence >= 0) {
      if (piece.sequence == 1 && !pair) item.fail("a single text has no sequence B");
      out.add_sequence(piece.sequence, piece.type_id);
      continue;
    }
    const auto found = specials.find(piece.token);
    if (found == specials.end()) {
      item.fail(fmt::format("the template names \"{}\", which is not in special_tokens",
                            quote_for_message(piece.token)));
    }
    for (const auto& token : found->second) out.add_special(token, piece.type_id);
  }
  return out;
}

Template text_alone(bool pair) {
  Template out;
  out.add_sequence(0, 0);
  if (pair) out.add_sequence(1, 1);
  return out;
}

}  // namespace

int32_t Template::special_token_count() const {
  return static_cast<int32_t>(std::count_if(pieces.begin(), pieces.end(),
                                            [](const TemplatePiece& p) { return p.sequence < 0; }));
}

void Template::add_sequence(int32_t sequence, int32_t type_id) {
  pieces.push_back({sequence, 0, type_id});
  texts.emplace_back();
}

void Template::add_special(const std::pair<int32_t, std::string>& token, int32_t type_id) {
  pieces.push_back({-1, token.first, type_id});
  texts.push_back(token.second);
}

TextsAlone::TextsAlone() : PostProcessor(text_alone(false), text_alone(true)) {}

SequencePostProcessor::SequencePostProcessor(
    std::vector<std::unique_ptr<const PostProcessor>> steps, const PostProcessor& texts)
    : PostProcessor(texts.single(), texts.pair()), steps_(std::move(steps)) {}

std::unique_ptr<const PostProcessor> SequencePostProcessor::make(
    std::vector<std::unique_ptr<const PostProcessor>> steps, const JsonView& place) {
  const TextsAlone alone;
  const PostProcessor* texts = &alone;
  for (const auto& step : steps) {
    if (texts != &alone) {
      place.fail("only the last of several post-processors may add special tokens");
    }
    if (dynamic_cast<const TextsAlone*>(step.get()) == nullptr) texts = step.get();
  }
  return std::unique_ptr<const PostProcessor>(new SequencePostProcessor(std::move(steps), *texts));
}

void SequencePostProcessor::place(TokenBuffer& tokens, size_t first,
                                  std::span<const SpeltToken> added) const {
  for (const auto& step : steps_) step->place(tokens, first, added);
}

bool SequencePostProcessor::moves_offsets() const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [](const auto& step) { return step->moves_offsets(); });
}

std::pair<int32_t, std::string> named_token(const JsonView& json, const PartContext& context) {
  const auto items = json.items();
  if (items.size() != 2) json.refuse("a token and its id");
  return {known_id(items[1], context), items[0].string()};
}

std::unique_ptr<const PostProcessor> build_template_processing(const JsonView& json,
                                                               const PartContext& context) {
  const SpecialMap specials = build_specials(json.at("special_tokens"), context);
  Template single = build_template(json.at("single"), specials, false);
  return std::make_unique<PostProcessor>(std::move(single),
                                         build_template(json.at("pair"), specials, true));
}

std::unique_ptr<const PostProcessor> build_bert_processing(const JsonView& json,
                                                           const PartContext& context) {
  const auto cls = named_token(json.at("cls"), context), sep = named_token(json.at("sep"), context);
  Template single;
  single.add_special(cls, 0);
  single.add_sequence(0, 0);
  single.add_special(sep, 0);
  Template pair = single;
  pair.add_sequence(1, 1);
  pair.add_special(sep, 1);
  return std::make_unique<PostProcessor>(std::move(single), std::move(pair));
}

}  // namespace spanforge
