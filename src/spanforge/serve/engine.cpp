#include "spanforge/serve/engine.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"

namespace spanforge::serve {
namespace {

double seconds_between(Engine::Clock::time_point a, Engine::Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

Refusal out_of_memory() {
  return Refusal::retry_later(503, "memory", "there is not enough memory for this request now", 1);
}

}  // namespace

struct Engine::Call {
  CallId id = 0;
  ModelPtr model;
  std::shared_ptr<const AnswerCall> asked;
  Done done;  // destroyed at the end, though a batch may hold the call longer
  Clock::time_point began, deadline;
  size_t text_bytes = 0;
  std::unique_ptr<PreparedQuestions> prepared;
  size_t left = 0;  // windows not yet computed
  Work work;
};

// A batch, and the calls that its windows belong to.
struct Engine::Chosen {
  ModelPtr model;
  std::vector<CallPtr> calls;
  std::vector<PreparedWindow> windows;
  std::vector<size_t> owners;  // index in calls, for each window
  int64_t tokens = 0;
};

Engine::Engine(const Limits& limits, Metrics& metrics, int workers)
    : limits_(limits), metrics_(metrics), scheduler_(limits.batch_tokens) {
  for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { run_worker(); });
  threads_.emplace_back([this] { run_deadlines(); });
}

Engine::~Engine() { shut_down(); }

void Engine::shut_down() {
  stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  std::map<CallId, CallPtr> calls;  // destroyed without the lock
  decltype(tasks_) tasks;
  const std::lock_guard<std::mutex> lock(mutex_);
  calls.swap(calls_);
  tasks.swap(tasks_);
}

void Engine::stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  work_there_.notify_all();
  batch_there_.notify_all();
  deadline_changed_.notify_all();
}

int64_t Engine::seconds_to_wait_locked() const {
  if (tokens_per_second_ == 0) return 1;
  const double seconds = static_cast<double>(scheduler_.waiting_tokens()) / tokens_per_second_;
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(seconds)));
}

int64_t Engine::seconds_to_wait() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return seconds_to_wait_locked();
}

Engine::CallId Engine::submit(ModelPtr model, std::shared_ptr<const AnswerCall> asked, Done done) {
  auto call = std::make_shared<Call>();
  call->model = std::move(model);
  call->asked = std::move(asked);
  call->done = std::move(done);
  call->began = Clock::now();
  call->deadline = call->began + std::min(call->asked->timeout.value_or(limits_.answer_time),
                                          limits_.answer_time);
  call->work.questions = call->asked->questions.size();
  for (const QuestionContext& asked_one : call->asked->questions) {
    call->text_bytes += asked_one.question.size() + asked_one.context.size();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  if (held_bytes_ + call->text_bytes > limits_.held_texts_bytes) {
    const int64_t seconds = seconds_to_wait_locked();
    lock.unlock();
    Outcome outcome;
    outcome.work = call->work;
    outcome.refusal = Refusal::retry_later(
        429, "texts",
        fmt::format("the texts of all requests in flight would have more than {} bytes; a context "
                    "counts once for each question",
                    limits_.held_texts_bytes),
        seconds);
    call->done(std::move(outcome));
    return 0;
  }
  held_bytes_ += call->text_bytes;
  call->id = next_id_++;
  calls_[call->id] = call;
  tasks_.emplace_back(call, false);
  work_there_.notify_one();
  const auto at = deadlines_.emplace(call->deadline, call->id);
  if (at == deadlines_.begin()) deadline_changed_.notify_one();
  return call->id;
}

Engine::CallPtr Engine::take_out(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return nullptr;
  CallPtr call = std::move(found->second);
  calls_.erase(found);
  held_bytes_ -= call->text_bytes;
  const auto [first, last] = deadlines_.equal_range(call->deadline);
  for (auto it = first; it != last; ++it) {
    if (it->second != id) continue;
    deadlines_.erase(it);
    break;
  }
  scheduler_.remove(id);
  metrics_.set(Metrics::Gauge::kQueueTokens, static_cast<double>(scheduler_.waiting_tokens()));
  return call;
}

void Engine::cancel(CallId id) {
  CallPtr call;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    call = take_out(id);
  }
  if (!call) return;
  call->done = nullptr;
  metrics_.count_cancelled();
}

void Engine::end(const CallPtr& call, Outcome outcome) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!take_out(call->id)) return;
    outcome.work = call->work;
  }
  std::exchange(call->done, nullptr)(std::move(outcome));
}

void Engine::refuse(const CallPtr& call, Refusal refusal) {
  end(call, {{}, std::move(refusal), {}});
}

void Engine::run_worker() {
  set_thread_count(1);  // the model needs the other cores
  while (true) {
    std::pair<CallPtr, bool> task;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      work_there_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
      if (!calls_.contains(task.first->id)) continue;  // it ended meanwhile
    }
    try {
      task.second ? finish(task.first) : prepare(task.first);
    } catch (const Error& error) {
      refuse(task.first, refusal_of(error, *task.first->asked, std::nullopt));
    } catch (const std::bad_alloc&) {
      refuse(task.first, out_of_memory());
    }
  }
}

void Engine::prepare(const CallPtr& call) {
  const AnswerCall& asked = *call->asked;
  const Pipeline& pipeline = call->model->pipeline;
  // Counts before it makes windows: a large overlap can repeat each token a thousand times.
  const int64_t tokens = pipeline.count_window_tokens(asked.questions, asked.options);
  if (tokens > limits_.request_tokens) {
    return refuse(call, {413, "limit",
                         fmt::format("the windows have {} tokens; {} are allowed", tokens,
                                     limits_.request_tokens)});
  }
  const auto is_full = [&] { return scheduler_.waiting_tokens() + tokens > limits_.queue_tokens; };
  const auto refuse_full = [&](int64_t seconds) {
    refuse(call, Refusal::retry_later(
                     429, "queue_full",
                     fmt::format("the queue has no room; {} tokens may wait", limits_.queue_tokens),
                     seconds));
  };
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (is_full()) {
      const int64_t seconds = seconds_to_wait_locked();
      lock.unlock();
      return refuse_full(seconds);
    }
  }
  std::unique_ptr<PreparedQuestions> prepared = pipeline.prepare(asked.questions, asked.options);
  for (size_t i = 0; i < prepared->results().size(); ++i) {
    if (const auto& error = prepared->results()[i].error) {
      return refuse(call, refusal_of(*error, asked, i));
    }
  }
  std::vector<int32_t> lengths;
  for (size_t w = 0; w < prepared->window_count(); ++w) {
    lengths.push_back(prepared->window_length(w));
  }
  metrics_.observe(Metrics::Histogram::kTokenize, seconds_between(call->began, Clock::now()));
  std::unique_lock<std::mutex> lock(mutex_);
  if (!calls_.contains(call->id)) return;
  if (is_full()) {
    const int64_t seconds = seconds_to_wait_locked();
    lock.unlock();
    return refuse_full(seconds);
  }
  call->work.windows = call->left = lengths.size();
  call->work.tokens = prepared->token_count();
  call->prepared = std::move(prepared);
  scheduler_.add(call->id, call->model.get(), std::move(lengths));
  metrics_.set(Metrics::Gauge::kQueueTokens, static_cast<double>(scheduler_.waiting_tokens()));
  batch_there_.notify_one();
}

void Engine::finish(const CallPtr& call) {
  Outcome outcome;
  outcome.results = call->model->pipeline.finish(*call->prepared);
  end(call, std::move(outcome));
}

void Engine::run_compute() {
  while (true) {
    Chosen chosen;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      batch_there_.wait(lock, [this] { return stopping_ || !scheduler_.empty(); });
      if (stopping_) return;
      const std::optional<Scheduler::Batch> batch = scheduler_.next_batch();
      chosen.tokens = batch->tokens;
      const auto now = Clock::now();
      for (const Scheduler::Part& part : batch->parts) {
        const CallPtr& call = calls_.at(part.request);
        if (call->work.queue_ms == 0) {
          const double waited = seconds_between(call->began, now);
          call->work.queue_ms = waited * 1000;
          metrics_.observe(Metrics::Histogram::kQueue, waited);
        }
        for (size_t w = part.first; w < part.first + part.count; ++w) {
          chosen.windows.push_back({call->prepared.get(), w});
          chosen.owners.push_back(chosen.calls.size());
        }
        chosen.calls.push_back(call);
      }
      chosen.model = chosen.calls.front()->model;
      metrics_.set(Metrics::Gauge::kQueueTokens, static_cast<double>(scheduler_.waiting_tokens()));
    }
    compute(chosen);
  }
}

void Engine::compute(Chosen& chosen) {
  const auto began = Clock::now();
  std::optional<Refusal> refusal;
  try {
    chosen.model->pipeline.compute(chosen.windows);
  } catch (const Error& error) {
    refusal = Refusal{500, "internal", error.what()};
  } catch (const std::bad_alloc&) {
    refusal = out_of_memory();
  }
  if (refusal) {
    for (const CallPtr& call : chosen.calls) refuse(call, *refusal);
    return;
  }
  const double seconds = seconds_between(began, Clock::now());
  metrics_.observe(Metrics::Histogram::kInference, seconds);
  metrics_.observe(Metrics::Histogram::kBatchTokens, static_cast<double>(chosen.tokens));
  metrics_.observe(Metrics::Histogram::kBatchWindows, static_cast<double>(chosen.windows.size()));
  const std::lock_guard<std::mutex> lock(mutex_);
  const double speed = static_cast<double>(chosen.tokens) / std::max(seconds, 1e-6);
  tokens_per_second_ += (tokens_per_second_ == 0 ? 1 : 0.1) * (speed - tokens_per_second_);
  for (size_t w = 0; w < chosen.windows.size(); ++w) --chosen.calls[chosen.owners[w]]->left;
  for (size_t i = 0; i < chosen.calls.size(); ++i) {
    const CallPtr& call = chosen.calls[i];
    // A call that had several turns has several parts in the batch.
    const bool seen = std::find(chosen.calls.begin(), chosen.calls.begin() + static_cast<long>(i),
                                call) != chosen.calls.begin() + static_cast<long>(i);
    if (seen) continue;
    call->work.compute_ms += seconds * 1000;
    if (call->left > 0) continue;
    tasks_.emplace_front(call, true);
    work_there_.notify_one();
  }
}

void Engine::run_deadlines() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    if (deadlines_.empty()) {
      deadline_changed_.wait(lock);
      continue;
    }
    const auto [at, id] = *deadlines_.begin();
    if (Clock::now() < at) {
      deadline_changed_.wait_until(lock, at);
      continue;
    }
    const CallPtr call = take_out(id);
    lock.unlock();
    Outcome outcome;
    outcome.work = call->work;
    const auto waited = std::chrono::duration_cast<Milliseconds>(call->deadline - call->began);
    outcome.refusal =
        Refusal{504, "deadline", fmt::format("there was no answer within {} ms", waited.count())};
    std::exchange(call->done, nullptr)(std::move(outcome));
    lock.lock();
  }
}

}  // namespace spanforge::serve
