#pragma once
// What: replies, with status, body and fields. All errors have the same form:
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
  std::string error_type;  // one of a few words, also in log and metrics
  std::string message;     // one line
  std::string place;       // member of the body or name of a field; "" if there is none
  bool close = false;      // the bytes after the request are not read
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

// The bytes of a reply. head_only: without the body but with its length, as HEAD needs. date: made
// by http_date().
std::string serialize_reply(const Reply& reply, std::string_view request_id, std::string_view date,
                            bool keep_alive, bool head_only);
std::string http_date(int64_t seconds_since_1970);  // "Sun, 06 Nov 1994 08:49:37 GMT"

}  // namespace spanforge::serve
