#include "spanforge/text/vocabulary.h"

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {

void Vocabulary::reserve(size_t tokens) {
  index_.reserve(tokens);
  places_.reserve(tokens);
}

void Vocabulary::add(std::string_view token, int64_t id, const ErrorPlace& place) {
  const auto fail = [&](const std::string& reason) {
    throw Error(ErrorCode::kBadModel, place,
                fmt::format("token \"{}\" {}", quote_for_message(token), reason));
  };
  if (token.size() > kMaxTokenBytes) {
    fail(fmt::format("has {} bytes; the limit is {}", token.size(), kMaxTokenBytes));
  }
  if (id < 0 || id > kMaxId) fail(fmt::format("has id {}; it must be from 0 to {}", id, kMaxId));
  if (has_id(static_cast<int32_t>(id))) {
    fail(fmt::format("has id {}, which \"{}\" also has", id,
                     quote_for_message(this->token(static_cast<int32_t>(id)))));
  }
  const auto number = static_cast<size_t>(id);
  if (!index_.insert(token, number, token_of()).is_new) fail("is listed twice");
  if (number >= places_.size()) places_.resize(number + 1);
  places_[number] = {static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(token.size() + 1)};
  bytes_.insert(bytes_.end(), token.begin(), token.end());
}

std::optional<int32_t> Vocabulary::find(std::string_view token) const {
  const auto found = index_.find(token, token_of());
  if (!found) return std::nullopt;
  return static_cast<int32_t>(*found);
}

}  // namespace spanforge
