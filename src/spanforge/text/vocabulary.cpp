#include "spanforge/text/vocabulary.h"

#include <fmt/format.h>

#include "spanforge/base/error.h"

namespace spanforge {

void Vocabulary::reserve(size_t tokens) {
  ids_.reserve(tokens);
  slots_.reserve(tokens);
}

void Vocabulary::add(std::string_view token, int64_t id, const std::string& place) {
  const auto fail = [&](const std::string& reason) {
    throw Error(ErrorCode::kBadModel, place,
                fmt::format("token \"{}\" {}", quote_for_message(token), reason));
  };
  if (token.size() > kMaxTokenBytes) {
    fail(fmt::format("has {} bytes; {} are the most", token.size(), kMaxTokenBytes));
  }
  if (id < 0 || id > kMaxId) fail(fmt::format("has id {}; ids run from 0 to {}", id, kMaxId));
  if (has_id(static_cast<int32_t>(id))) {
    fail(fmt::format("has id {}, which \"{}\" has too", id,
                     quote_for_message(this->token(static_cast<int32_t>(id)))));
  }
  const auto [entry, is_new] = ids_.emplace(std::string(token), static_cast<int32_t>(id));
  if (!is_new) fail("is listed twice");
  if (static_cast<size_t>(id) >= slots_.size()) slots_.resize(static_cast<size_t>(id) + 1);
  slots_[static_cast<size_t>(id)] = &entry->first;
}

std::optional<int32_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

std::string_view Vocabulary::token(int32_t id) const {
  return has_id(id) ? std::string_view(*slots_[static_cast<size_t>(id)]) : std::string_view();
}

bool Vocabulary::has_id(int32_t id) const {
  return id >= 0 && id < id_limit() && slots_[static_cast<size_t>(id)] != nullptr;
}

}  // namespace spanforge
