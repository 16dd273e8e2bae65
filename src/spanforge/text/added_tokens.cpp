#include "spanforge/text/added_tokens.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/text/unicode.h"

namespace spanforge {
namespace {

constexpr size_t kFew = 64;  // up to this many tokens with one first byte are compared one by one

bool is_space(char32_t c) { return unicode::has(c, unicode::kWhitespace); }
bool is_word(char32_t c) { return unicode::has(c, unicode::kWord); }

std::u32string normalize_content(const std::string& content, const Normalizer* normalizer) {
  NormalizedText text, scratch;
  for (const char32_t c : decode_utf8(content)) text.push(c, {});
  if (normalizer != nullptr) normalizer->apply(text, scratch);
  return {text.chars.begin(), text.chars.end()};
}

}  // namespace

void AddedTokens::add(AddedToken token, const Vocabulary& vocabulary) {
  if (token.content.empty()) return;
  if (const auto known = by_content_.find(token.content, content_of())) {
    token.id = tokens_[*known]->id;
    *tokens_[*known] = std::move(token);
    return;
  }
  if (const auto id = vocabulary.find(token.content)) {
    token.id = *id;
  } else {
    // HF counts tokens, not ids: the next id after the vocabulary's size or the last added token.
    token.id = std::max(static_cast<int32_t>(vocabulary.size()), id_limit_);
  }
  id_limit_ = std::max(id_limit_, token.id + 1);
  tokens_.push_back(std::make_unique<AddedToken>(std::move(token)));
  AddedToken* added = tokens_.back().get();
  by_content_.insert(added->content, tokens_.size() - 1, content_of());
  by_id_[added->id] = added;
}

void AddedTokens::finish(const Normalizer* normalizer, const std::string& place) {
  CodePointTrie::Keys keys[2];
  std::vector<std::string> contents[2];
  // Special tokens come first: if two contents normalise to the same text, the first one wins.
  for (const bool special : {true, false}) {
    for (const auto& token : tokens_) {
      if (token->special != special) continue;
      const std::u32string pattern =
          normalize_content(token->content, token->normalized ? normalizer : nullptr);
      if (token->content.size() > Vocabulary::kMaxTokenBytes) {
        throw Error(ErrorCode::kBadModel, place,
                    fmt::format("the added token \"{}\" has {} bytes; the limit is {}",
                                quote_for_message(token->content), token->content.size(),
                                Vocabulary::kMaxTokenBytes));
      }
      if (pattern.empty()) {
        throw Error(ErrorCode::kBadModel, place,
                    fmt::format("the added token \"{}\" is empty after normalisation",
                                quote_for_message(token->content)));
      }
      const bool in_normalised = token->normalized && normalizer != nullptr;
      contents[in_normalised].push_back(encode_utf8(pattern));
      keys[token->normalized].add(0, pattern, token->id);
    }
  }
  for (const bool normalized : {false, true})
    spelt_[normalized].finish(std::move(contents[normalized]));
  for (const bool normalized : {false, true}) {
    matchers_[normalized].used = !keys[normalized].empty();
    matchers_[normalized].trie = CodePointTrie(1, keys[normalized]);
  }
}

void AddedTokens::Spelt::finish(std::vector<std::string> contents) {
  std::sort(contents.begin(), contents.end());  // a text that begins with another comes after it
  for (std::string& content : contents) {
    std::vector<std::string>& known = by_first_byte[static_cast<unsigned char>(content[0])];
    if (known.empty()) first_bytes.push_back(content[0]);
    if (known.empty() || !content.starts_with(known.back())) known.push_back(std::move(content));
  }
}

bool AddedTokens::spelt_in(std::string_view text, bool normalized) const {
  // Few bytes begin a token ('[' or '<'), so memchr finds each by itself.
  const Spelt& spelt = spelt_[normalized];
  for (const char first : spelt.first_bytes) {
    const auto& tokens = spelt.by_first_byte[static_cast<unsigned char>(first)];
    for (size_t at = text.find(first); at != text.npos; at = text.find(first, at + 1)) {
      if (tokens.size() > kFew) return true;  // find() searches for all of them at once
      for (const std::string& token : tokens) {
        if (text.substr(at, token.size()) == token) return true;
      }
    }
  }
  return false;
}

void AddedTokens::find(std::span<const char32_t> text, bool normalized,
                       std::vector<AddedMatch>& out) const {
  const CodePointTrie& trie = matchers_[normalized].trie;
  const auto size = static_cast<int32_t>(text.size());
  int32_t covered = 0;
  for (int32_t at = any(normalized) ? 0 : size; at < size;) {
    // The longest pattern that begins here.
    int32_t id = CodePointTrie::kNoValue, end = at;
    CodePointTrie::Edge edge = trie.next(0, text[at]);
    for (int32_t i = at + 1; edge.node != 0; ++i) {
      if (edge.value != CodePointTrie::kNoValue) {
        id = edge.value;
        end = i;
      }
      if (i == size) break;
      edge = trie.next(edge.node, text[i]);
    }
    if (id == CodePointTrie::kNoValue) {
      ++at;
      continue;
    }
    const AddedToken& token = *by_id_.at(id);
    int32_t begin = at;
    at = end;
    if (token.single_word &&
        ((begin > 0 && is_word(text[begin - 1])) || (end < size && is_word(text[end])))) {
      continue;
    }
    if (token.lstrip) {
      while (begin > covered && is_space(text[begin - 1])) --begin;
      begin = std::max(begin, covered);
      if (begin >= end) continue;  // it is inside the white space of the token before
    }
    if (token.rstrip) {
      while (end < size && is_space(text[end])) ++end;
    }
    if (covered < begin) out.push_back({{covered, begin}, nullptr});
    out.push_back({{begin, end}, &token});
    covered = end;
  }
  if (covered != size) out.push_back({{covered, size}, nullptr});
}

const AddedToken* AddedTokens::find_content(const std::string& content) const {
  const auto found = by_content_.find(content, content_of());
  return found ? tokens_[*found].get() : nullptr;
}

const AddedToken* AddedTokens::find_id(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<const AddedToken*> AddedTokens::by_id() const {
  std::vector<const AddedToken*> sorted;
  for (const auto& [id, token] : by_id_) sorted.push_back(token);
  return sorted;
}

}  // namespace spanforge
