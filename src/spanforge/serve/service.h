#pragma once
// What: a request's head and body -> a reply, without sockets. check() is asked when the head is
//   there, so that a body that nobody wants is not read; handle() when the body is.
// Threads: all methods are concurrent. `send` may be called before handle() returns, or later from
// a
//   thread of the engine; once, unless the request is cancelled.

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

  // The refusal that a sound head gets; nullopt: the body is wanted.
  std::optional<Refusal> check(const Head& head, const Framing& framing) const;
  // 0: sent already. Else for cancel(). REQUIRES: check() had nothing to say.
  Engine::CallId handle(const Head& head, const Framing& framing, std::string body,
                        const std::string& request_id, Send send);
  void cancel(Engine::CallId id) { engine_.cancel(id); }

  void begin_draining() { draining_ = true; }
  bool draining() const { return draining_; }
  const Limits& limits() const { return limits_; }
  Metrics& metrics() { return metrics_; }
  // The fields that let another origin's pages read a reply.
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
