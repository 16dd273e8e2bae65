#include <algorithm>
#include <new>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "access_log.h"
#include "command.h"
#include "common.h"
#include "flags.h"
#include "output.h"
#include "serve_signals.h"
#include "served_models.h"
#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/io/input_file.h"
#include "spanforge/serve/http_server.h"
#include "start_threads.h"

namespace spanforge::app {
namespace {

struct ServeOptions {
  std::vector<std::string> models, allowed_hosts, cors_origins;
  std::string host = "127.0.0.1", token_file;
  int32_t port = 8080;
  double drain_delay = 0;
  bool insecure = false;
  LoadChoices load;
  serve::Limits limits;
  double answer_seconds = 30, drain_seconds = 30;
  double header_seconds = 10, body_seconds = 30, idle_seconds = 60;
};

void declare(OptionTable& table, ServeOptions& o) {
  table({"model",
         "model directory or hub id, or NAME=DIR; repeat for more; the first answers "
         "requests that name none",
         ""},
        o.models);
  table({"host", "address to listen on", ""}, o.host);
  table({"port", "port to listen on; 0: a free one", "0..65535"}, o.port);
  table({"token_file", "file with the token that requests must bring", ""}, o.token_file);
  table({"allowed_host", "name by which clients may ask, beside localhost; repeat for more", ""},
        o.allowed_hosts);
  table({"cors_origin", "origin whose pages may ask, as https://app.example.org; repeat for more",
         ""},
        o.cors_origins);
  table.add_switch({"insecure", "listen on other than loopback addresses without TLS", ""},
                   o.insecure);
  table({"max_batch_tokens", "tokens computed at once", "> 0"}, o.limits.batch_tokens);
  table({"max_queue_tokens", "tokens that may wait; beyond, requests get 429", "> 0"},
        o.limits.queue_tokens);
  table({"max_request_tokens", "tokens of a request's windows", "> 0"}, o.limits.request_tokens);
  table({"max_questions", "questions of a request", "> 0"}, o.limits.questions);
  table({"max_body_bytes", "bytes of a request's body", "> 0"}, o.limits.body_bytes);
  table({"max_connections", "connections at once", "> 0"}, o.limits.connections);
  table({"timeout", "seconds for an answer; a request may ask for less", "> 0"}, o.answer_seconds);
  table({"header_timeout", "seconds for a request's header to come in", "> 0"}, o.header_seconds);
  table({"body_timeout", "seconds for a request's body to come in", "> 0"}, o.body_seconds);
  table({"idle_timeout", "seconds that a connection may wait for its next request", "> 0"},
        o.idle_seconds);
  table({"drain_delay", "seconds after SIGTERM during which new connections are taken", ">= 0"},
        o.drain_delay);
  table({"drain_timeout", "seconds after that for requests to be finished", "> 0"},
        o.drain_seconds);
  table({"bf16", "compute in bfloat16; auto: where the processor has it", ""}, o.load.bf16);
  table.add_switch(kVerifyOption, o.load.verify);
  table(kThreadsOption, o.load.threads);
}

serve::Milliseconds milliseconds(double seconds) {
  return serve::Milliseconds(static_cast<int64_t>(std::min(seconds, 1e9) * 1000));
}

serve::Access make_access(const ServeOptions& o) {
  serve::Access access{o.allowed_hosts, o.cors_origins, ""};
  if (!serve::is_loopback_address(o.host)) {
    if (o.token_file.empty() || !o.insecure) {
      throw Error(ErrorCode::kUsage, {.parameter = "host"},
                  fmt::format("\"{}\" can be reached from other machines: give --token-file, and "
                              "--insecure, since there is no TLS",
                              quote_for_message(o.host)));
    }
    access.hosts.push_back(o.host);
  }
  if (o.token_file.empty()) return access;
  std::string token = read_input(o.token_file);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.empty() || token.find_first_of(" \t\r\n") != std::string::npos) {
    throw Error(ErrorCode::kUsage, {.parameter = "token_file"},
                fmt::format("{}: must hold one line with the token", o.token_file));
  }
  access.token_sha256 = sha256_hex(token);
  return access;
}

// The new model answers when it has answered once; one that cannot be loaded changes nothing.
void reload(const ServeOptions& o, const std::vector<ModelToServe>& sources, serve::Models& models,
            serve::Metrics& metrics) {
  for (const ModelToServe& source : sources) {
    try {
      const serve::ModelPtr model = load_served_model(source, o.load);
      models.replace(model);
      metrics.count_reload(true);
      note(fmt::format("{}: version {} answers now", model->name, model->version));
    } catch (const Error& error) {
      metrics.count_reload(false);
      note(fmt::format("{}: the model is not replaced: {}", source.name, with_flags(error).what()));
    } catch (const std::bad_alloc&) {
      metrics.count_reload(false);
      note(fmt::format("{}: the model is not replaced: not enough memory", source.name));
    }
  }
  std::vector<serve::Metrics::Model> shown;
  for (const auto& model : models.all()) shown.push_back({model->name, model->version});
  metrics.set_models(std::move(shown));
  release_notes();
}

}  // namespace

int run_serve(const Arguments& arguments) {
  ServeOptions o;
  OptionTable table;
  declare(table, o);
  if (!table.parse(arguments)) return 0;
  table.require("model");
  o.limits.answer_time = milliseconds(o.answer_seconds);
  o.limits.drain_time = milliseconds(o.drain_seconds);
  o.limits.header_time = milliseconds(o.header_seconds);
  o.limits.body_time = milliseconds(o.body_seconds);
  o.limits.idle_time = milliseconds(o.idle_seconds);
  if (o.limits.request_tokens > o.limits.queue_tokens) {
    throw Error(ErrorCode::kUsage, {.parameter = "max_request_tokens"},
                fmt::format("is {}, more than --max-queue-tokens {} lets wait",
                            o.limits.request_tokens, o.limits.queue_tokens));
  }
  const serve::Access access = make_access(o);
  const std::vector<ModelToServe> sources = parse_models(o.models);
  ServeSignals signals;
  start_threads(o.load.threads);

  std::vector<serve::ModelPtr> loaded;
  for (const ModelToServe& source : sources) {
    loaded.push_back(load_served_model(source, o.load));
  }
  serve::Metrics metrics;
  serve::Models models(std::move(loaded));
  std::vector<serve::Metrics::Model> shown;
  for (const auto& model : models.all()) shown.push_back({model->name, model->version});
  metrics.set_models(std::move(shown));
  serve::Engine engine(o.limits, metrics, 2);
  serve::Service service(o.limits, access, models, engine, metrics, SPANFORGE_VERSION);
  AccessLog log;
  serve::HttpServer server(o.host, static_cast<uint16_t>(o.port), service,
                           [&log](const serve::LogLine& line) { log.add(line); });
  release_notes();
  write_stderr(fmt::format("spanforge: serving at {}\n", server.address()));

  std::thread network([&] {
    server.run();
    engine.stop();
  });
  signals.serve([&] { server.drain(milliseconds(o.drain_delay)); },
                [&] { reload(o, sources, models, metrics); });
  engine.run_compute();
  network.join();
  signals.serve(nullptr, nullptr);  // what they would stop is gone
  return 0;
}

}  // namespace spanforge::app
