#pragma once
// What: the server's limits: sizes, counts and times. apps/spanforge/serve_options.cpp sets some of
//   them by options.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace spanforge::serve {

using Milliseconds = std::chrono::milliseconds;

struct Limits {
  // Of one HTTP message.
  size_t target_bytes = 2048;
  size_t header_bytes = 8192;  // request line and fields
  size_t fields = 100;
  size_t body_bytes = size_t{2} << 20;
  size_t bodies_bytes = size_t{64} << 20;  // of all bodies and replies in flight
  // Of the questions and texts of one request.
  size_t questions = 1024;
  size_t texts_bytes = size_t{32} << 20;        // a shared context counts once for each question
  size_t held_texts_bytes = size_t{128} << 20;  // the same, of all requests in flight
  int64_t request_tokens = 262'144;  // in windows, so overlaps and shared contexts count again
  int32_t top_k = 100;
  // Of all requests together.
  int64_t queue_tokens = 524'288;
  int32_t batch_tokens = 2048;
  size_t connections = 256;
  size_t requests_per_connection = 1000;
  // Times.
  Milliseconds header_time{10'000}, body_time{30'000}, idle_time{60'000}, write_time{30'000};
  Milliseconds answer_time{30'000};  // from a request's last byte; timeout_ms shortens it
  Milliseconds drain_time{30'000};   // for accepted requests, after SIGTERM
};

}  // namespace spanforge::serve
