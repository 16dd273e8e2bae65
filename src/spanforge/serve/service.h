#pragma once
// What: makes replies to requests, without sockets. The caller calls check() with the head, so that
//   the body of a refused request is not read, and then handle() with the body.
// Threads: all methods are concurrent. handle() calls `send` once, unless the request is cancelled:
//   before it returns, or later on a thread of the engine.

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "spanforge/serve/engine.h"
#include "spanforge/serve/message.h"
#include "spanforge/serve/metrics.h"
#include "spanforge/serve/models.h"
#include "spanforge/serve/routes.h"

namespace spanforge::serve {

struct Answered {
  Reply reply;
  Work work;
};

class Service {
 public:
  using Send = std::function<void(Answered)>;

  Service(const Limits& limits, Access access, Models& models, Engine& engine, Metrics& metrics,
          std::string program_version);

  // Returns a refusal for a valid head, or nullopt: then read the body.
  std::optional<Refusal> check(const Head& head, const Framing& framing) const;
  // Returns the id for cancel(), or 0 if it has sent the reply. REQUIRES: check() returned nullopt.
  Engine::CallId handle(const Head& head, const Framing& framing, std::string body,
                        const std::string& request_id, Send send);
  void cancel(Engine::CallId id) { engine_.cancel(id); }

  void begin_draining() { draining_ = true; }
  bool draining() const { return draining_; }
  const Limits& limits() const { return limits_; }
  Metrics& metrics() { return metrics_; }
  // The fields by which a browser lets pages of another origin read a reply.
  std::vector<std::pair<std::string, std::string>> cors_fields(const Head& head) const;

 private:
  Engine::CallId answer(CallOrRefusal parsed, const std::string& model, std::string request_id,
                        Send send);
  Reply show_models(const Found& found, const std::string& request_id) const;
  Reply show(const Found& found, const std::string& request_id) const;

  const Limits limits_;
  const Access access_;
  Models& models_;
  Engine& engine_;
  Metrics& metrics_;
  const std::string openapi_;
  std::atomic<bool> draining_ = false;
};

}  // namespace spanforge::serve
