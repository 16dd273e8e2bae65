#include "spanforge/text/decoder.h"

#include <initializer_list>
#include <utility>

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

std::string WordPieceDecoder::decode(const std::vector<std::string_view>& tokens) const {
  std::string out, piece;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i == 0) {
      piece = tokens[i];
    } else if (tokens[i].substr(0, prefix_.size()) == prefix_) {
      piece = tokens[i].substr(prefix_.size());
    } else {
      piece.assign(1, ' ').append(tokens[i]);
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
    out += piece;
  }
  return out;
}

std::string SpaceDecoder::decode(const std::vector<std::string_view>& tokens) const {
  std::string out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += ' ';
    out += tokens[i];
  }
  return out;
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
