#include "spanforge/parallel/group_gloo.h"

#ifdef SPANFORGE_HAS_GLOO

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <gloo/common/error.h>
#include <gloo/common/logging.h>
#include <gloo/config.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/store.h>
#include <gloo/transport/tcp/device.h>
#include <gloo/transport/unbound_buffer.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Buffer = std::unique_ptr<gloo::transport::UnboundBuffer>;

constexpr milliseconds kConnectDeadline{60'000};

// Gloo's writes to a connection that a peer has closed raise SIGPIPE, which ends a program that
// does not ignore it. While this exists, they fail instead, on this thread and on those that it
// starts.
class WithoutPipeSignal {
 public:
  WithoutPipeSignal() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  WithoutPipeSignal(const WithoutPipeSignal&) = delete;
  ~WithoutPipeSignal() {
    const timespec now{};
    while (!was_pending_ && ::sigtimedwait(&pipe_, nullptr, &now) == -1 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  ::sigset_t pipe_, before_;
  bool was_pending_ = false;
};

class GlooGroup : public Group {
 public:
  GlooGroup(const Launch& launch, int on_this_host, std::shared_ptr<gloo::Context> context)
      : Group(launch.rank, launch.size, on_this_host), context_(std::move(context)) {}

 protected:
  void exchange_with_others(std::span<const ConstBytes> out, std::span<const Bytes> in) override {
    const WithoutPipeSignal without_pipe_signal;
    const uint64_t slot = next_slot_++;
    const auto begin = steady_clock::now();
    std::vector<std::pair<int, Buffer>> receives, sends;
    // Starting at the next rank, so that not all send to the same one first.
    for (int step = 1; step < size(); ++step) {
      const int to = (rank() + step) % size(), from = (rank() + size() - step) % size();
      const Bytes into = in[static_cast<size_t>(from)];
      const ConstBytes what = out[static_cast<size_t>(to)];
      if (!into.empty()) {
        of_peer(from, begin, [&] {
          receives.emplace_back(from, context_->createUnboundBuffer(into.data(), into.size()));
          receives.back().second->recv(from, slot);
        });
      }
      if (!what.empty()) {
        of_peer(to, begin, [&] {
          auto* data = const_cast<std::byte*>(what.data());  // it is only read
          sends.emplace_back(to, context_->createUnboundBuffer(data, what.size()));
          sends.back().second->send(to, slot);
        });
      }
    }
    for (const auto& [peer, buffer] : receives) {
      of_peer(peer, begin, [&, &b = buffer] { b->waitRecv(left(begin)); });
    }
    for (const auto& [peer, buffer] : sends) {
      of_peer(peer, begin, [&, &b = buffer] { b->waitSend(left(begin)); });
    }
  }

 private:
  milliseconds left(steady_clock::time_point begin) const {
    const auto used = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
    return std::max(milliseconds(1), deadline() - used);
  }

  // Runs call(), which concerns one peer, and names that peer if it fails.
  template <class Call>
  void of_peer(int peer, steady_clock::time_point begin, const Call& call) const {
    std::string why;
    try {
      return call();
    } catch (const gloo::Exception&) {
    } catch (const gloo::EnforceNotMet&) {
    } catch (const std::system_error&) {
    }
    const auto used = steady_clock::now() - begin;
    throw Error(ErrorCode::kPeerLost, {.where = fmt::format("rank {}", peer)},
                used + milliseconds(100) >= deadline()
                    ? fmt::format("did not answer rank {} for {} s", rank(),
                                  std::chrono::duration_cast<std::chrono::seconds>(used).count())
                    : fmt::format("is gone: its connection to rank {} broke", rank()));
  }

  const std::shared_ptr<gloo::Context> context_;
  uint64_t next_slot_ = 0;
};

// Where the ranks find each other's addresses.
class MeetingStore : public gloo::rendezvous::Store {
 public:
  explicit MeetingStore(Meeting& meeting) : meeting_(meeting) {}
  void set(const std::string& key, const std::vector<char>& data) override {
    meeting_.put(key, {data.data(), data.size()});
  }
  std::vector<char> get(const std::string& key) override {
    const std::string text = meeting_.wait_for(key, kConnectDeadline);
    return {text.begin(), text.end()};
  }
  void wait(const std::vector<std::string>& keys) override { wait(keys, kConnectDeadline); }
  void wait(const std::vector<std::string>& keys, const milliseconds& longest) override {
    for (const std::string& key : keys) meeting_.wait_for(key, longest);
  }

 private:
  Meeting& meeting_;
};

[[noreturn]] void refuse_to_connect(const Launch& launch, const char* why) {
  throw Error(ErrorCode::kPeerLost, {.where = fmt::format("rank {}", launch.rank)},
              fmt::format("could not connect to the other ranks: {}", why));
}

}  // namespace

std::unique_ptr<Group> make_gloo_group(const Launch& launch, Meeting& meeting,
                                       const std::string& interface) {
  const WithoutPipeSignal without_pipe_signal;  // Gloo's thread, made here, keeps it blocked
  try {
    gloo::transport::tcp::attr attributes;
    attributes.iface = interface;
    auto device = gloo::transport::tcp::CreateDevice(attributes);
    MeetingStore store(meeting);
    auto context = std::make_shared<gloo::rendezvous::Context>(launch.rank, launch.size);
    context->setTimeout(std::min(kConnectDeadline, meeting.left()));
    context->connectFullMesh(store, device);
    return std::make_unique<GlooGroup>(launch, meeting.on_this_host(), std::move(context));
  } catch (const gloo::Exception& error) {
    refuse_to_connect(launch, error.what());
  } catch (const gloo::EnforceNotMet& error) {
    refuse_to_connect(launch, error.what());
  } catch (const std::system_error& error) {
    refuse_to_connect(launch, error.what());
  }
}

std::string gloo_version() {
  return fmt::format("{}.{}.{}", GLOO_VERSION_MAJOR, GLOO_VERSION_MINOR, GLOO_VERSION_PATCH);
}

}  // namespace spanforge

#else

#include "spanforge/base/error.h"

namespace spanforge {

std::unique_ptr<Group> make_gloo_group(const Launch&, Meeting&, const std::string&) {
  throw Error(ErrorCode::kInternal, {.where = "Gloo"}, "is not built in");
}
std::string gloo_version() { return ""; }

}  // namespace spanforge

#endif
