#include "spanforge/serve/reply.h"

#include <array>
#include <ctime>

#include <fmt/core.h>

#include "spanforge/base/json.h"

namespace spanforge::serve {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 21> kReasons = {{
    {100, "Continue"},
    {200, "OK"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
}};

}  // namespace

Refusal Refusal::bad_message(std::string reason) {
  return {400, "message", std::move(reason), "", true};
}

Refusal Refusal::retry_later(int status, std::string error_type, std::string reason,
                             int64_t seconds) {
  return {status,
          std::move(error_type),
          std::move(reason),
          "",
          false,
          {{"Retry-After", std::to_string(seconds)}}};
}

Reply refusal_reply(const Refusal& refusal, std::string_view request_id) {
  Reply reply;
  reply.status = refusal.status;
  reply.fields = refusal.fields;
  reply.close = refusal.close;
  reply.error_type = refusal.error_type;
  reply.body = Json{
      {"error", refusal.message},
      {"error_type", refusal.error_type},
      {"place", refusal.place},
      {"request_id",
       request_id}}.dump();
  return reply;
}

std::string_view status_reason(int status) {
  for (const auto& [known, reason] : kReasons) {
    if (known == status) return reason;
  }
  return "Unknown";
}

std::string serialize_reply(const Reply& reply, std::string_view request_id, std::string_view date,
                            bool keep_alive, bool head_only) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", reply.status,
                                status_reason(reply.status), date);
  if (reply.status != 204) {
    out += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", reply.content_type,
                       reply.body.size());
  }
  for (const auto& [name, value] : reply.fields) out += fmt::format("{}: {}\r\n", name, value);
  out += fmt::format(
      "X-Request-Id: {}\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
      "Cache-Control: no-store\r\nConnection: {}\r\n\r\n",
      request_id, keep_alive ? "keep-alive" : "close");
  if (!head_only) out += reply.body;
  return out;
}

std::string http_date(int64_t seconds_since_1970) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto at = static_cast<std::time_t>(seconds_since_1970);
  std::tm utc{};
  ::gmtime_r(&at, &utc);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[utc.tm_wday], utc.tm_mday,
                     kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace spanforge::serve
