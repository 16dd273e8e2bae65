#include "spanforge/parallel/meeting.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/base/join.h"
#include "spanforge/parallel/random_name.h"

namespace spanforge {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view kAnswerName = "answer";
constexpr std::string_view kMet = "met";
constexpr std::string_view kLoopback = "lo";
constexpr std::string_view kRankPrefix = "rank-";
constexpr milliseconds kLookForRanks{500};  // while an entry of the engine is awaited

// Two processes with the same text can reach each other by loopback.
std::string this_host() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

int rank_of(const std::string& entry) { return std::atoi(entry.c_str() + kRankPrefix.size()); }

}  // namespace

struct Meeting::Impl {
  Impl(const Launch& launch_in, std::unique_ptr<Board> board_in, const MeetingOptions& options_in)
      : launch(launch_in),
        board(std::move(board_in)),
        options(options_in),
        until(Clock::now() + options.deadline),
        // A restart's ranks do not take its predecessor's name, whose ranks may still be ending.
        name_entry(fmt::format("start-{}", launch.restart)) {}

  using Come = std::map<int, std::vector<std::string>>;  // names of entries, by rank

  void wait() const {
    if (options.stop != nullptr && options.stop->load()) {
      throw Error(ErrorCode::kInterrupted, {.where = fmt::format("rank {}", launch.rank)},
                  "stopped on request before all processes met");
    }
    std::this_thread::sleep_for(board->pause());
  }
  bool late() const { return Clock::now() >= until; }
  [[noreturn]] void refuse_late(const std::string& who) const {
    throw Error(ErrorCode::kPeerLost, board->place(),
                fmt::format("{} did not come within {} s", who, options.deadline.count() / 1000));
  }
  std::string in_folder(std::string_view name) const { return fmt::format("{}/{}", folder, name); }

  void lead() {
    while (!board->try_lock()) {
      if (late()) refuse_late("the end of another start that meets here");
      wait();
    }
    locked = true;
    board->remove_all();
    folder = random_name();
    board->make_folder(folder);
    board->hold(in_folder(entry_name(0, random_name())), record());
    board->put(name_entry, folder);
    const Come come = wait_for_all();
    const std::string answer = answer_to(come);
    board->put(in_folder(kAnswerName), answer);
    answered = true;
    take(answer);
  }

  // All ranks are there. Entries that must not be there may be those of killed processes, so they
  // count only if they stay.
  Come wait_for_all() {
    auto right_at = Clock::now();  // the last time that nothing was wrong
    while (true) {
      Come come = those_who_came();
      const bool wrong = std::any_of(come.begin(), come.end(), [&](const auto& row) {
        return row.first >= launch.size || row.second.size() > 1;
      });
      const auto now = Clock::now();
      if (!wrong) right_at = now;
      const bool sure = !wrong || now - right_at >= board->lag();
      if (come.size() >= static_cast<size_t>(launch.size) && sure) return come;
      if (late()) refuse_late(missing(come));
      wait();
    }
  }

  void follow() {
    const std::string nonce = random_name();
    std::string name;
    while (true) {
      name = board->read(name_entry).value_or("");
      if (!name.empty() && name != folder) {
        folder = name;
        if (!board->hold(in_folder(entry_name(launch.rank, nonce)), record())) folder.clear();
      }
      const auto answer = folder.empty() ? std::nullopt : board->read(in_folder(kAnswerName));
      if (answer && answer->find(nonce) != std::string::npos) return take(*answer);
      if (late()) refuse_late("rank 0");
      wait();
    }
  }

  std::string record() const { return this_host() + "\n" + options.interface + "\n"; }
  static std::string entry_name(int rank, const std::string& nonce) {
    return fmt::format("{}{}-{}", kRankPrefix, rank, nonce);
  }

  Come those_who_came() const {
    Come come;
    for (const std::string& name : board->living(folder, kRankPrefix)) {
      come[rank_of(name)].push_back(name);
    }
    return come;
  }

  std::string missing(const Come& come) const {
    std::vector<std::string> ranks;
    for (int rank = 0; rank < launch.size; ++rank) {
      if (!come.contains(rank)) ranks.push_back(std::to_string(rank));
    }
    constexpr size_t kNamed = 16;
    const size_t more = ranks.size() > kNamed ? ranks.size() - kNamed : 0;
    ranks.resize(ranks.size() - more);
    return (ranks.size() == 1 ? "rank " : "ranks ") + spanforge::join(ranks, ", ") +
           (more > 0 ? fmt::format(" and {} more", more) : "");
  }

  // First a verdict, then each process's entry and host.
  std::string answer_to(const Come& come) const {
    std::string verdict(kMet), rows;
    std::string first_host;
    for (const auto& [rank, entries] : come) {
      if (rank >= launch.size) {
        verdict = fmt::format("rendezvous\tholds rank {} of another start, this one has {} ranks",
                              rank, launch.size);
      } else if (entries.size() > 1) {
        verdict = fmt::format("rendezvous\ttwo processes came as rank {}", rank);
      }
      for (const std::string& entry : entries) {
        const auto record = lines_of(board->read(in_folder(entry)).value_or("\n\n"));
        const std::string host = record.empty() ? "" : record[0];
        if (rank == 0) first_host = host;
        if (host != first_host && options.interface == kLoopback) {
          verdict = fmt::format(
              "interface\tis lo, which does not leave a host, but rank 0 is on {} and rank {} on "
              "{}: name a network interface that connects them",
              first_host, rank, host);
        }
        rows += fmt::format("{}\t{}\n", entry, host);
      }
    }
    return verdict + "\n" + rows;
  }

  void take(const std::string& answer) {
    const std::vector<std::string> lines = lines_of(answer);
    if (lines[0] != kMet) {
      const size_t tab = lines[0].find('\t');
      throw Error(ErrorCode::kUsage, {.parameter = lines[0].substr(0, tab)},
                  lines[0].substr(tab + 1));
    }
    for (auto line = lines.begin() + 1; line != lines.end(); ++line) {
      on_this_host += line->ends_with("\t" + this_host());
      met.push_back(line->substr(0, line->find('\t')));
    }
  }

  void require_all() const {
    const std::vector<std::string> living = board->living(folder, kRankPrefix);
    for (const std::string& entry : met) {
      if (std::binary_search(living.begin(), living.end(), entry)) continue;
      throw Error(ErrorCode::kPeerLost, {.where = fmt::format("rank {}", rank_of(entry))},
                  "is gone: it came, and ended before all ranks had connected");
    }
  }

  // Keys are the engine's, which may use any characters.
  std::string entry_of(const std::string& key) const {
    return in_folder("engine-" + sha256_hex(key).substr(0, 32));
  }

  std::string wait_for(const std::string& key, milliseconds longest) const {
    const auto end = std::min(until, Clock::now() + longest);
    auto look = Clock::now() + kLookForRanks;
    while (true) {
      if (auto text = board->read(entry_of(key))) return std::move(*text);
      const auto now = Clock::now();
      if (now >= end) {
        throw Error(ErrorCode::kPeerLost, board->place(),
                    fmt::format("rank {} waited in vain for what the other ranks put there in "
                                "order to connect",
                                launch.rank));
      }
      if (now >= look) {
        require_all();
        look = now + kLookForRanks;
      }
      wait();
    }
  }

  void clean() noexcept {
    if (!locked) return;
    try {
      board->remove_all();
      board->give_up();
    } catch (const Error&) {  // the next start removes the rest
    }
  }

  const Launch launch;
  const std::unique_ptr<Board> board;
  const MeetingOptions options;
  const Clock::time_point until;
  const std::string name_entry;  // holds the name of the folder
  std::string folder;
  std::vector<std::string> met;  // all ranks' entries
  bool locked = false, answered = false;
  int on_this_host = 0;
};

Meeting::Meeting(const Launch& launch, std::unique_ptr<Board> board, const MeetingOptions& options)
    : impl_(std::make_unique<Impl>(launch, std::move(board), options)) {
  try {
    if (launch.rank == 0) {
      impl_->lead();
    } else {
      impl_->follow();
    }
  } catch (const Error&) {
    // The others must have time to read a refusal; an answer is removed by the next start.
    if (!impl_->answered) impl_->clean();
    throw;
  }
}

Meeting::~Meeting() { impl_->clean(); }

int Meeting::on_this_host() const { return impl_->on_this_host; }

milliseconds Meeting::left() const {
  const auto left = std::chrono::duration_cast<milliseconds>(impl_->until - Clock::now());
  return std::max(left, milliseconds(1));
}

void Meeting::put(const std::string& key, std::string_view text) {
  impl_->board->put(impl_->entry_of(key), text);
}

std::string Meeting::wait_for(const std::string& key, milliseconds longest) {
  return impl_->wait_for(key, longest);
}

}  // namespace spanforge
