#include "spanforge/parallel/together.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

constexpr std::chrono::seconds kBeat{1};
constexpr std::chrono::seconds kLeastDeadline{60};

enum State : uint8_t { kWorking, kDone, kFailed };

// Tells the others about this rank's work until all are done.
class Heart {
 public:
  explicit Heart(Group& group) : group_(group), thread_([this] { beat(); }) {}
  ~Heart() { stop(kDone); }

  // Returns whether any rank failed. Throws what the group threw.
  bool finish(State state) {
    stop(state);
    if (lost_) std::rethrow_exception(lost_);
    return any_failed_;
  }

 private:
  void stop(State state) {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      state_ = state;
    }
    changed_.notify_one();
    thread_.join();
  }

  void beat() {
    try {
      while (true) {
        State mine = kWorking;
        {
          std::unique_lock<std::mutex> lock(mutex_);
          changed_.wait_for(lock, kBeat, [&] { return state_ != kWorking; });
          mine = state_;
        }
        const std::vector<State> all = group_.all_gather_value(mine);
        if (std::count(all.begin(), all.end(), kWorking) > 0) continue;
        any_failed_ = std::count(all.begin(), all.end(), kFailed) > 0;
        return;
      }
    } catch (...) {
      lost_ = std::current_exception();
    }
  }

  Group& group_;
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = kWorking;
  bool any_failed_ = false;
  std::exception_ptr lost_;
  std::thread thread_;
};

// An error in a form that another process can throw.
struct Failure {
  bool failed = false;
  ErrorCode code = ErrorCode::kInternal;
  std::string text;
};

Failure failure_of(const std::exception_ptr& caught) {
  if (!caught) return {};
  try {
    std::rethrow_exception(caught);
  } catch (const Error& error) {
    return {true, error.code(), error.what()};
  } catch (...) {
    return {true, ErrorCode::kInternal, "ended; its own line says why"};
  }
}

}  // namespace

std::vector<std::string> gather_texts(Group& group, const std::string& text) {
  const auto sizes = group.all_gather_value(static_cast<uint64_t>(text.size()));
  const auto all = static_cast<size_t>(group.size());
  std::vector<std::string> texts(all);
  std::vector<Bytes> in;
  for (size_t k = 0; k < all; ++k) {
    texts[k].resize(sizes[k]);
    in.push_back(std::as_writable_bytes(std::span(texts[k])));
  }
  group.exchange(std::vector<ConstBytes>(all, std::as_bytes(std::span(text))), in);
  return texts;
}

std::optional<size_t> find_other_rank(const std::vector<std::string>& texts) {
  const auto other = std::find_if(texts.begin(), texts.end(),
                                  [&](const std::string& text) { return text != texts.front(); });
  if (other == texts.end()) return std::nullopt;
  return static_cast<size_t>(other - texts.begin());
}

void fail_together(Group& group, const std::exception_ptr& failure) {
  if (group.size() == 1) {
    if (failure) std::rethrow_exception(failure);
    return;
  }
  const Failure mine = failure_of(failure);
  const auto codes = group.all_gather_value(mine.failed ? static_cast<int>(mine.code) : -1);
  const auto first = std::find_if(codes.begin(), codes.end(), [](int code) { return code >= 0; });
  if (first == codes.end()) return;
  const std::vector<std::string> texts = gather_texts(group, mine.text);
  if (failure) std::rethrow_exception(failure);
  const auto rank = static_cast<size_t>(first - codes.begin());
  throw Error(static_cast<ErrorCode>(*first), {.where = "rank " + std::to_string(rank)},
              texts[rank]);
}

void work_together(Group& group, const std::function<void()>& work) {
  if (group.size() == 1) return work();
  // The others beat once a second, whatever this group's calls usually take.
  const auto usual = group.deadline();
  group.set_deadline(std::min(usual, std::chrono::milliseconds(kLeastDeadline)));
  std::exception_ptr failure;
  bool any_failed = false;
  {
    Heart heart(group);
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
    any_failed = heart.finish(failure ? kFailed : kDone);
  }
  if (any_failed) fail_together(group, failure);
  group.set_deadline(usual);
}

}  // namespace spanforge
