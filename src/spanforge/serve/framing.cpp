#include "spanforge/serve/framing.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/core.h>

namespace spanforge::serve {
namespace http = boost::beast::http;

struct RequestReader::Parser {
  http::request_parser<http::string_body> beast;
};

RequestReader::RequestReader(const Limits& limits) : limits_(limits) { next(); }
RequestReader::~RequestReader() = default;

void RequestReader::next() {
  parser_ = std::make_unique<Parser>();
  parser_->beast.header_limit(static_cast<uint32_t>(limits_.header_bytes));
  // No limit yet: check_head() refuses a stated length that is too long. boost::none would not do,
  // because Beast compares it as less than every length.
  parser_->beast.body_limit(std::numeric_limits<uint64_t>::max());
  head_ = {};
  framing_ = {};
  wire_bytes_ = 0;
  head_ready_ = body_accepted_ = false;
}

RequestReader::State RequestReader::refuse(Refusal refusal) {
  refusal_ = std::move(refusal);
  refusal_.close = true;
  refused_ = true;
  return State::kRefused;
}

RequestReader::State RequestReader::advance() {
  if (refused_) return State::kRefused;
  if (!head_ready_) return read_head();
  if (!body_accepted_) return State::kHead;
  return read_body();
}

void RequestReader::accept_body() { body_accepted_ = true; }

std::string RequestReader::take_body() { return std::move(parser_->beast.get().body()); }

RequestReader::State RequestReader::read_head() {
  HeadScan scan = scan_head(bytes_, limits_);
  if (scan.refusal) return refuse(std::move(*scan.refusal));
  if (scan.size == 0) return State::kNeedMore;
  auto& parser = parser_->beast;
  boost::system::error_code error;
  const size_t used = parser.put(boost::asio::buffer(bytes_.data() + scan.skip, scan.size), error);
  if (error || !parser.is_header_done() || used != scan.size) {
    return refuse(Refusal::bad_message(
        fmt::format("malformed header: {}", error ? error.message() : "it ends early")));
  }
  bytes_.erase(0, scan.skip + scan.size);
  const auto& message = parser.get();
  head_.method = std::string(message.method_string());
  head_.target = std::string(message.target());
  head_.minor_version = static_cast<int>(message.version() % 10);
  for (const auto& field : message) {
    head_.fields.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  FramingOrRefusal checked = check_head(head_, limits_);
  if (checked.refusal) return refuse(std::move(*checked.refusal));
  framing_ = std::move(checked.framing);
  parser.body_limit(limits_.body_bytes);
  head_ready_ = true;
  return State::kHead;
}

RequestReader::State RequestReader::read_body() {
  auto& parser = parser_->beast;
  size_t at = 0;
  while (!parser.is_done() && at < bytes_.size()) {
    boost::system::error_code error;
    // Gives the parser at most limits.header_bytes at once. If it can use none of them, a chunk's
    // header or the trailer is too long, however the bytes arrived.
    const size_t given = std::min(bytes_.size() - at, limits_.header_bytes);
    const size_t used = parser.put(boost::asio::buffer(bytes_.data() + at, given), error);
    at += used;
    wire_bytes_ += used;
    if (error == http::error::need_more && used == 0) {
      if (given < limits_.header_bytes) break;
      return refuse(Refusal::bad_message("a chunk's header or the trailer is too long"));
    }
    if (error == http::error::need_more) continue;
    if (error == http::error::body_limit) {
      return refuse({413, "limit",
                     fmt::format("the body has more than {} bytes", limits_.body_bytes), "", true});
    }
    if (error) {
      return refuse(Refusal::bad_message(fmt::format("malformed body: {}", error.message())));
    }
    if (wire_bytes_ > 2 * limits_.body_bytes) {
      return refuse(
          {413, "limit",
           fmt::format("the body's chunks take more than {} bytes", 2 * limits_.body_bytes), "",
           true});
    }
  }
  bytes_.erase(0, at);
  return parser.is_done() ? State::kDone : State::kNeedMore;
}

}  // namespace spanforge::serve
