#pragma once
// What: The place of a Redis database: redis://HOST[:PORT][/DATABASE][?name=TEXT].
// No user and no password may be in it: the command line is visible to everybody on the machine.

#include <string>

namespace spanforge {

struct RedisUrl {
  std::string host;  // a name, an IPv4 address, or an IPv6 address (in the URL in brackets)
  int port = 6379;
  int database = 0;
  std::string name;  // letters, digits, '.', '-' and '_', at most 64; "": none was given

  std::string server() const;  // "redis://HOST:PORT", for messages
};

// True for SCHEME://..., whatever the scheme is.
bool is_url(const std::string& text);

// Errors: Error{kUsage, parameter "rendezvous"}.
RedisUrl parse_redis_url(const std::string& text);

}  // namespace spanforge
