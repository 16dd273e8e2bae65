#pragma once
// What the server says: a status, a body, the fields beside them; and the one form of every error:
//   {"error": "questions[1].context: index 3, but 1 context was sent (line 2, column 58)",
//    "error_type": "validation", "place": "questions[1].context", "request_id": "7c1e90d2"}

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spanforge::serve {

// Why a request gets no answer.
struct Refusal {
  int status = 400;
  std::string error_type;  // one of a few words, which the log and the metrics count
  std::string message;     // one line
  std::string place;       // member of the body, name of a field; "" where there is none
  bool close = false;      // the bytes behind the request cannot be trusted or are not wanted
  std::vector<std::pair<std::string, std::string>> fields;  // Allow, Retry-After, WWW-Authenticate

  static Refusal bad_message(std::string reason);  // 400, close
  static Refusal retry_later(int status, std::string error_type, std::string reason,
                             int64_t seconds);
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;
  bool close = false;
  std::string error_type;  // of a refusal, for the log
};

Reply refusal_reply(const Refusal& refusal, std::string_view request_id);
std::string_view status_reason(int status);  // "Not Found"

// The bytes of a reply. head_only: HEAD's, with the length that the body would have. date: of
// http_date().
std::string serialize_reply(const Reply& reply, std::string_view request_id, std::string_view date,
                            bool keep_alive, bool head_only);
std::string http_date(int64_t seconds_since_1970);  // "Sun, 06 Nov 1994 08:49:37 GMT"

}  // namespace spanforge::serve
