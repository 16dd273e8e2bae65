#pragma once
// What: answers calls. Workers make texts into windows and logits into answers; one thread, the
//   caller of run_compute(), runs the model over the batches that Scheduler forms.
// A call ends exactly once: by its answer, a refusal, its deadline (also while a batch of its
// windows
//   runs) or cancel(). Whoever takes it out of the table of calls ends it.
// Memory: windows of at most limits.queue_tokens tokens, some 30 bytes each, and one batch.
// Threads: all methods are concurrent. Done is called from a thread of the engine, without its
// lock.

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
  double queue_ms = 0, compute_ms = 0;  // before its first batch; of the batches that it was in
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

  // Never blocks. The model and the call are kept until the end. 0: refused, Done has been called.
  CallId submit(ModelPtr model, std::shared_ptr<const AnswerCall> call, Done done);
  // Drops the call's windows, and no others; Done is not called any more. No effect after its end.
  void cancel(CallId id);

  void run_compute();  // returns after stop()
  void stop();
  // Stops, ends all threads, and lets go of every call and its Done, uncalled: what a Done uses may
  // be destroyed afterwards.
  void shut_down();
  // Seconds until what waits now is computed, at least 1.
  int64_t seconds_to_wait() const;

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;
  struct Chosen;

  void run_worker();
  void run_deadlines();
  void prepare(const CallPtr& call);
  void finish(const CallPtr& call);
  void end(const CallPtr& call, Outcome outcome);  // does nothing where the call has ended
  void refuse(const CallPtr& call, Refusal refusal);
  CallPtr take_out(CallId id);  // REQUIRES the lock; nullptr: it has ended
  void compute(Chosen& chosen);
  int64_t seconds_to_wait_locked() const;

  const Limits limits_;
  Metrics& metrics_;
  mutable std::mutex mutex_;
  std::condition_variable work_there_, batch_there_, deadline_changed_;
  bool stopping_ = false;
  CallId next_id_ = 1;
  std::map<CallId, CallPtr> calls_;
  std::deque<std::pair<CallPtr, bool>> tasks_;  // true: of calls whose logits are there
  std::multimap<Clock::time_point, CallId> deadlines_;
  Scheduler scheduler_;
  size_t held_bytes_ = 0;         // texts of all calls
  double tokens_per_second_ = 0;  // measured; moves with every batch; 0: there was none yet
  std::vector<std::thread> threads_;
};

}  // namespace spanforge::serve
