#include "spanforge/text/decoder.h"

#include <initializer_list>
#include <utility>

#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  size_t at = text.find(from);
  if (at == std::string::npos) return;
  std::string out;
  size_t copied = 0;
  for (; at != std::string::npos; at = text.find(from, copied)) {
    out.append(text, copied, at - copied);
    out += to;
    copied = at + from.size();
  }
  out.append(text, copied);
  text = std::move(out);
}

using Replacement = std::pair<std::string_view, std::string_view>;

void replace_each(std::string& text, std::initializer_list<Replacement> replacements) {
  for (const auto& [from, to] : replacements) replace_all(text, from, to);
}

}  // namespace

void WordPieceDecoder::decode(std::vector<std::string>& tokens) const {
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::string& piece = tokens[i];
    if (i > 0) {
      if (piece.starts_with(prefix_)) {
        piece.erase(0, prefix_.size());
      } else {
        piece.insert(0, 1, ' ');
      }
    }
    if (cleanup_) {
      replace_each(piece, {{" .", "."},
                           {" ?", "?"},
                           {" !", "!"},
                           {" ,", ","},
                           {" ' ", "'"},
                           {" n't", "n't"},
                           {" 'm", "'m"},
                           {" do not", " don't"},
                           {" 's", "'s"},
                           {" 've", "'ve"},
                           {" 're", "'re"}});
    }
  }
}

void SpaceDecoder::decode(std::vector<std::string>& tokens) const {
  for (size_t i = 1; i < tokens.size(); ++i) tokens[i].insert(0, 1, ' ');
}

std::unique_ptr<const Decoder> build_word_piece_decoder(const JsonView& json, const PartContext&) {
  return std::make_unique<WordPieceDecoder>(json.at("prefix").string(),
                                            json.at("cleanup").boolean());
}

std::string clean_up_tokenization(std::string text) {
  replace_each(text, {{" .", "."},
                      {" ?", "?"},
                      {" !", "!"},
                      {" ,", ","},
                      {" ' ", "'"},
                      {" n't", "n't"},
                      {" 'm", "'m"},
                      {" 's", "'s"},
                      {" 've", "'ve"},
                      {" 're", "'re"}});
  return text;
}

}  // namespace spanforge
