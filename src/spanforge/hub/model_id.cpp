#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/hub/hub.h"

namespace spanforge {
namespace {

bool is_repository_part(std::string_view part) {
  return !part.empty() && part.find("--") == std::string_view::npos &&
         part.find("..") == std::string_view::npos && part.front() != '-' && part.front() != '.' &&
         part.back() != '-' && part.back() != '.' &&
         std::all_of(part.begin(), part.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

bool is_revision(std::string_view revision) {
  return !revision.empty() && revision.front() != '/' && revision.back() != '/' &&
         revision.find("..") == std::string_view::npos &&
         revision.find("//") == std::string_view::npos &&
         std::all_of(revision.begin(), revision.end(),
                     [](unsigned char c) { return c > 0x20 && c != 0x7F && c != '\\'; });
}

std::string without_blanks(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string after_scheme(const std::string& text) {
  const size_t at = text.find("://");
  return at == std::string::npos ? text : text.substr(at + 3);
}

// The part after "HOST/" of a hub, without query and fragment; nullopt: the text does not name a
// hub.
std::optional<std::string> path_at_hub(const std::string& text, const std::string& endpoint) {
  const std::string rest = after_scheme(text);
  for (const std::string& hub :
       {after_scheme(endpoint), std::string("huggingface.co"), std::string("www.huggingface.co"),
        std::string("hf.co"), std::string("hf-mirror.com")}) {
    if (!rest.starts_with(hub + "/")) continue;
    std::string path = rest.substr(hub.size() + 1);
    path.resize(std::min(path.find_first_of("?#"), path.size()));
    while (path.ends_with('/')) path.pop_back();
    return path;
  }
  return std::nullopt;
}

// "org/name/tree/main" -> "org/name@main". Drops the name of a file.
std::string id_of_path(const std::string& path) {
  for (const std::string kind : {"/tree/", "/blob/", "/resolve/", "/commit/"}) {
    const size_t at = path.find(kind);
    if (at == std::string::npos) continue;
    const std::string revision = path.substr(at + kind.size());
    return path.substr(0, at) + "@" + revision.substr(0, revision.find('/'));
  }
  return path;
}

}  // namespace

bool is_hub_address(const std::string& text, const std::string& endpoint) {
  const std::string address = without_blanks(text);
  return address.find("://") != std::string::npos || path_at_hub(address, endpoint).has_value();
}

HubId parse_hub_id(const std::string& text, const std::string& endpoint) {
  std::string address = without_blanks(text);
  const std::string shown = text.empty() ? "\"\"" : quote_for_message(text, 200);
  if (const auto path = path_at_hub(address, endpoint)) {
    address = id_of_path(*path);
    for (const char* other : {"datasets/", "spaces/"}) {
      if (!address.starts_with(other)) continue;
      throw Error(ErrorCode::kUsage, shown, "is not the page of a model");
    }
  } else if (address.find("://") != std::string::npos) {
    throw Error(
        ErrorCode::kUsage, shown,
        fmt::format("is not an address at the hub {}; HF_ENDPOINT can name another hub", endpoint));
  }
  HubId id;
  const size_t at = address.find('@');
  id.repository = address.substr(0, at);
  if (at != std::string::npos) id.revision = address.substr(at + 1);
  const size_t slash = id.repository.find('/');
  const std::string_view name =
      std::string_view(id.repository).substr(slash == std::string::npos ? 0 : slash + 1);
  const bool organisation_ok =
      slash == std::string::npos || is_repository_part(id.repository.substr(0, slash));
  if (id.repository.size() > 96 || !organisation_ok || !is_repository_part(name) ||
      !is_revision(id.revision)) {
    throw Error(ErrorCode::kUsage, shown,
                "is neither a directory nor a model id of the form org/name[@revision]");
  }
  return id;
}

}  // namespace spanforge
