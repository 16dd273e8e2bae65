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
         "requests that name no model",
         ""},
        o.models);
  table({"host", "address to listen on", ""}, o.listening.host);
  table({"port", "port to listen on; 0: a free one", "0..65535"}, o.port);
  table({"token_file", "file with the token that clients must send", ""}, o.token_file);
  table({"allowed_host",
         "host name that requests may use, in addition to localhost; repeat for more", ""},
        o.allowed_hosts);
  table({"cors_origin",
         "origin whose pages may send requests: https://app.example.org; repeat for more", ""},
        o.cors_origins);
  table({"tls_certificate", "certificate chain (PEM), for HTTPS; SIGHUP reads it again", ""},
        o.listening.certificate);
  table({"tls_key", "the certificate's key (PEM, without a password)", ""}, o.listening.key);
  table.add_switch(
      {"insecure", "allow an address that other machines can reach without a token or without TLS",
       ""},
      o.insecure);
  table.add_switch(
      {"log_text", "write requests and replies into the log, up to 1,000 bytes of each", ""},
      o.listening.log_text);
  table({"max_batch_tokens", "most tokens of a batch", "> 0"}, o.limits.batch_tokens);
  table({"max_queue_tokens", "most tokens that wait; above it, requests get 429", "> 0"},
        o.limits.queue_tokens);
  table({"max_request_tokens", "most tokens of a request's windows", "> 0"},
        o.limits.request_tokens);
  table({"max_questions", "most questions of a request", "> 0"}, o.limits.questions);
  table({"max_body_bytes", "most bytes of a request's body", "> 0"}, o.limits.body_bytes);
  table({"max_connections", "most connections at a time", "> 0"}, o.limits.connections);
  table({"max_memory_bytes",
         "most memory of models and requests, in bytes; 0: what the machine or control group has",
         ">= 0"},
        o.memory_bytes);
  table({"timeout", "seconds for an answer; a request may ask for less", "> 0"}, o.answer_seconds);
  table({"header_timeout", "seconds in which a request's header must arrive", "> 0"},
        o.header_seconds);
  table({"body_timeout", "seconds in which a request's body must arrive", "> 0"}, o.body_seconds);
  table({"idle_timeout", "seconds that a connection may wait for its next request", "> 0"},
        o.idle_seconds);
  table({"write_timeout", "seconds in which a client must take a reply", "> 0"}, o.write_seconds);
  table({"drain_delay", "seconds after SIGTERM in which new connections are accepted", ">= 0"},
        o.drain_delay);
  table({"drain_timeout", "seconds after that in which requests can finish", "> 0"},
        o.drain_seconds);
  table({"bf16", "compute in bfloat16; auto: if the processor has it", ""}, o.bf16);
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
  constexpr rlim_t kOthers = 64;  // models, the log, the listening socket
  const rlim_t needed = static_cast<rlim_t>(o.limits.connections) + kOthers;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
  limit.rlim_cur = std::min(needed, limit.rlim_max);
  if (limit.rlim_cur < needed || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw Error(ErrorCode::kUsage, {.parameter = "max_connections"},
                fmt::format("{} connections need {} open files; the system allows {} (ulimit -n)",
                            o.limits.connections, needed, limit.rlim_max));
  }
}

serve::Access make_access(const ServeOptions& o) {
  serve::Access access{o.allowed_hosts, o.cors_origins, ""};
  if (!serve::is_loopback_address(o.listening.host)) {
    if (!o.insecure && (o.token_file.empty() || o.listening.certificate.empty())) {
      throw Error(ErrorCode::kUsage, {.parameter = "host"},
                  fmt::format("other machines can reach \"{}\": give --token-file and "
                              "--tls-certificate, or --insecure if something else protects it",
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
