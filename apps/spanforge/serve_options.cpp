#include "serve_options.h"

#include <sys/resource.h>

#include <algorithm>

#include <fmt/core.h>

#include "common.h"
#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/io/input_file.h"

namespace spanforge::app {

void declare(OptionTable& table, ServeOptions& o) {
  table({"model",
         "model directory or hub id, or NAME=DIR; repeat for more; the first answers "
         "requests that name none",
         ""},
        o.models);
  table({"host", "address to listen on", ""}, o.listening.host);
  table({"port", "port to listen on; 0: a free one", "0..65535"}, o.port);
  table({"token_file", "file with the token that requests must bring", ""}, o.token_file);
  table({"allowed_host", "name by which clients may ask, beside localhost; repeat for more", ""},
        o.allowed_hosts);
  table({"cors_origin", "origin whose pages may ask, as https://app.example.org; repeat for more",
         ""},
        o.cors_origins);
  table({"tls_certificate", "certificate chain (PEM), for HTTPS; SIGHUP reads it again", ""},
        o.listening.certificate);
  table({"tls_key", "the certificate's key (PEM, without a password)", ""}, o.listening.key);
  table.add_switch(
      {"insecure", "listen on other than loopback addresses without a token or without TLS", ""},
      o.insecure);
  table.add_switch(
      {"log_text", "put requests and replies, up to 1,000 bytes each, into the log", ""},
      o.listening.log_text);
  table({"max_batch_tokens", "tokens computed at once", "> 0"}, o.limits.batch_tokens);
  table({"max_queue_tokens", "tokens that may wait; beyond, requests get 429", "> 0"},
        o.limits.queue_tokens);
  table({"max_request_tokens", "tokens of a request's windows", "> 0"}, o.limits.request_tokens);
  table({"max_questions", "questions of a request", "> 0"}, o.limits.questions);
  table({"max_body_bytes", "bytes of a request's body", "> 0"}, o.limits.body_bytes);
  table({"max_connections", "connections at once", "> 0"}, o.limits.connections);
  table(
      {"max_memory_bytes",
       "bytes that models and requests may take; 0: what the machine or control group has", ">= 0"},
      o.memory_bytes);
  table({"timeout", "seconds for an answer; a request may ask for less", "> 0"}, o.answer_seconds);
  table({"header_timeout", "seconds for a request's header to come in", "> 0"}, o.header_seconds);
  table({"body_timeout", "seconds for a request's body to come in", "> 0"}, o.body_seconds);
  table({"idle_timeout", "seconds that a connection may wait for its next request", "> 0"},
        o.idle_seconds);
  table({"write_timeout", "seconds for a client to take a reply", "> 0"}, o.write_seconds);
  table({"drain_delay", "seconds after SIGTERM during which new connections are taken", ">= 0"},
        o.drain_delay);
  table({"drain_timeout", "seconds after that for requests to be finished", "> 0"},
        o.drain_seconds);
  table({"bf16", "compute in bfloat16; auto: where the processor has it", ""}, o.bf16);
  table.add_switch(kVerifyOption, o.verify);
  table(kThreadsOption, o.threads);
}

serve::Milliseconds milliseconds(double seconds) {
  return serve::Milliseconds(static_cast<int64_t>(std::min(seconds, 1e9) * 1000));
}

void settle(const OptionTable& table, ServeOptions& o) {
  table.require("model");
  table.need("tls_certificate", "tls_key");
  table.need("tls_key", "tls_certificate");
  o.listening.port = static_cast<uint16_t>(o.port);
  o.limits.answer_time = milliseconds(o.answer_seconds);
  o.limits.drain_time = milliseconds(o.drain_seconds);
  o.limits.header_time = milliseconds(o.header_seconds);
  o.limits.body_time = milliseconds(o.body_seconds);
  o.limits.idle_time = milliseconds(o.idle_seconds);
  o.limits.write_time = milliseconds(o.write_seconds);
  if (o.limits.request_tokens > o.limits.queue_tokens) {
    throw Error(ErrorCode::kUsage, {.parameter = "max_request_tokens"},
                fmt::format("is {}, more than the {} of --max-queue-tokens",
                            o.limits.request_tokens, o.limits.queue_tokens));
  }
}

void allow_open_files(const ServeOptions& o) {
  constexpr rlim_t kOthers = 64;  // models, the log, what listens
  const rlim_t needed = static_cast<rlim_t>(o.limits.connections) + kOthers;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
  limit.rlim_cur = std::min(needed, limit.rlim_max);
  if (limit.rlim_cur < needed || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw Error(ErrorCode::kUsage, {.parameter = "max_connections"},
                fmt::format("{} need {} open files; the system allows {} (ulimit -n)",
                            o.limits.connections, needed, limit.rlim_max));
  }
}

serve::Access make_access(const ServeOptions& o) {
  serve::Access access{o.allowed_hosts, o.cors_origins, ""};
  if (!serve::is_loopback_address(o.listening.host)) {
    if (!o.insecure && (o.token_file.empty() || o.listening.certificate.empty())) {
      throw Error(ErrorCode::kUsage, {.parameter = "host"},
                  fmt::format("\"{}\" can be reached from other machines: give --token-file and "
                              "--tls-certificate, or --insecure where something else protects it",
                              quote_for_message(o.listening.host)));
    }
    access.hosts.push_back(o.listening.host);
  }
  if (o.token_file.empty()) return access;
  std::string token = read_input(o.token_file);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.empty() || token.find_first_of(" \t\r\n") != std::string::npos) {
    throw Error(ErrorCode::kUsage, {.file = o.token_file}, "must hold one line with the token");
  }
  access.token_sha256 = sha256_hex(token);
  return access;
}

}  // namespace spanforge::app
