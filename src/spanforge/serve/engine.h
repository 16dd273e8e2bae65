#pragma once
// What: answers calls. Worker threads make windows from texts and answers from logits. One thread,
//   the caller of run_compute(), runs the model on the batches that Scheduler forms.
// Ends: a call ends exactly once: by its answer, a refusal, its deadline (even while a batch with
//   its windows runs) or cancel(). The thread that takes it out of the table of calls ends it.
// Memory: at most limits.queue_tokens tokens of windows, about 30 bytes each, and one batch.
// Threads: all methods are concurrent. submit() or a thread of the engine calls Done, without the
//   engine's lock.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "spanforge/serve/limits.h"
#include "spanforge/serve/metrics.h"
#include "spanforge/serve/models.h"
#include "spanforge/serve/scheduler.h"
#include "spanforge/serve/schema.h"

namespace spanforge::serve {

// What a call cost, for the log.
struct Work {
  size_t questions = 0, windows = 0;
  int64_t tokens = 0;
  double queue_ms = 0, compute_ms = 0;  // until its first batch; in all its batches
};

struct Outcome {
  std::vector<AskResult> results;
  std::optional<Refusal> refusal;
  Work work;
};

class Engine {
 public:
  using Clock = std::chrono::steady_clock;
  using CallId = uint64_t;
  using Done = std::function<void(Outcome)>;

  Engine(const Limits& limits, Metrics& metrics, int workers);
  ~Engine();

  // Never blocks. Keeps the model and the call until the call's end. Returns 0 if it refused the
  // call and has called Done.
  CallId submit(ModelPtr model, std::shared_ptr<const AnswerCall> call, Done done);
  // Ends the call without calling Done, and drops only its windows. Has no effect after its end.
  void cancel(CallId id);

  void run_compute();  // returns after stop()
  void stop();
  // Stops, joins its threads, and destroys every call and its Done without calling it. The caller
  // may then destroy what a Done uses.
  void shut_down();
  // The seconds that the windows in the queue take, at least 1.
  int64_t seconds_to_wait() const;

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;
  struct Chosen;

  void run_worker();
  void run_deadlines();
  void prepare(const CallPtr& call);
  void finish(const CallPtr& call);
  void end(const CallPtr& call, Outcome outcome);  // does nothing if the call has ended
  void refuse(const CallPtr& call, Refusal refusal);
  CallPtr take_out(CallId id);  // REQUIRES: the lock. nullptr: it has ended
  void compute(Chosen& chosen);
  int64_t seconds_to_wait_locked() const;

  const Limits limits_;
  Metrics& metrics_;
  mutable std::mutex mutex_;
  std::condition_variable work_there_, batch_there_, deadline_changed_;
  bool stopping_ = false;
  CallId next_id_ = 1;
  std::map<CallId, CallPtr> calls_;
  std::deque<std::pair<CallPtr, bool>> tasks_;  // true: its logits are complete
  std::multimap<Clock::time_point, CallId> deadlines_;
  Scheduler scheduler_;
  size_t held_bytes_ = 0;         // in the texts of all calls
  double tokens_per_second_ = 0;  // moving average over batches; 0 before the first
  std::vector<std::thread> threads_;
};

}  // namespace spanforge::serve
