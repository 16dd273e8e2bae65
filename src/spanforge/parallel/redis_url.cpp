#include "spanforge/parallel/redis_url.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

constexpr std::string_view kScheme = "redis://";
constexpr std::string_view kNameKey = "name=";
constexpr size_t kLongestName = 64;
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

[[noreturn]] void refuse_url(const std::string& why) {
  throw Error(ErrorCode::kUsage, {.parameter = "rendezvous"}, why);
}

bool consists_of(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (kDigits.find(c) != kDigits.npos) || (kLetters.find(c) != kLetters.npos) ||
           (more.find(c) != more.npos);
  });
}

int number_in(std::string_view text, int least, int most, const char* what) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    refuse_url(fmt::format("the {} '{}' is not a number from {} to {}", what,
                           quote_for_message(text), least, most));
  }
  return value;
}

// Moves what follows `sign` from `text` to `after`. False: there is no sign.
bool split_off(std::string_view& text, char sign, std::string_view& after) {
  const size_t at = text.find(sign);
  if (at == text.npos) return false;
  after = text.substr(at + 1);
  text = text.substr(0, at);
  return true;
}

}  // namespace

std::string RedisUrl::server() const {
  const bool brackets = host.find(':') != host.npos;
  return fmt::format("{}{}{}{}:{}", kScheme, brackets ? "[" : "", host, brackets ? "]" : "", port);
}

bool is_url(const std::string& text) {
  const size_t end = text.find("://");
  return end != text.npos && kLetters.find(text[0]) != kLetters.npos &&
         consists_of(std::string_view(text).substr(0, end), "+.-");
}

RedisUrl parse_redis_url(const std::string& text) {
  // First, so that no message repeats a password.
  if (text.find('@') != text.npos) {
    refuse_url(
        "a URL must not hold a user or a password, because everybody on this machine can read the "
        "command line: give the password in the environment variable REDISCLI_AUTH");
  }
  if (!text.starts_with(kScheme)) {
    refuse_url(fmt::format("'{}' is neither a directory nor redis://HOST[:PORT][/DATABASE]",
                           quote_for_message(text)));
  }
  RedisUrl url;
  std::string_view rest = std::string_view(text).substr(kScheme.size()), part;
  if (split_off(rest, '?', part)) {
    if (!part.starts_with(kNameKey)) {
      refuse_url(fmt::format("'{}' is not name=TEXT, the only thing that may follow '?' in a URL",
                             quote_for_message(part)));
    }
    url.name = part.substr(kNameKey.size());
    if (!consists_of(url.name, ".-_") || url.name.size() > kLongestName) {
      refuse_url(fmt::format("the name '{}' is not 1 to {} letters, digits, '.', '-' and '_'",
                             quote_for_message(url.name), kLongestName));
    }
  }
  if (split_off(rest, '/', part)) {
    url.database = number_in(part, 0, std::numeric_limits<int>::max(), "database");
  }
  const bool brackets = rest.starts_with('[');
  if (brackets) {
    rest.remove_prefix(1);
    if (!split_off(rest, ']', part) || (!part.empty() && part[0] != ':')) {
      refuse_url("an IPv6 address in a URL ends with ']', then ':' and the port may follow");
    }
    url.host = rest;
    if (!part.empty()) url.port = number_in(part.substr(1), 1, 65535, "port");
  } else {
    if (split_off(rest, ':', part)) url.port = number_in(part, 1, 65535, "port");
    url.host = rest;
  }
  if (!consists_of(url.host, brackets ? ":." : ".-_")) {
    refuse_url(
        fmt::format("the host '{}' is not a name or an address", quote_for_message(url.host)));
  }
  return url;
}

}  // namespace spanforge
