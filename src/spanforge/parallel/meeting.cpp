#include "spanforge/parallel/meeting.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/base/join.h"
#include "spanforge/io/file.h"

namespace spanforge {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kPrefix = "spanforge-";  // of all names in the directory
constexpr std::string_view kLockName = "spanforge-lock";
constexpr std::string_view kAnswerName = "answer";
constexpr std::string_view kMet = "met";
constexpr std::string_view kLoopback = "lo";

std::string random_name() {
  std::array<uint64_t, 2> bits{};
  if (::getentropy(bits.data(), sizeof bits) != 0) {
    throw Error(ErrorCode::kInternal, {.where = "getentropy"},
                "the system gives no random numbers");
  }
  return fmt::format("{:016x}{:016x}", bits[0], bits[1]);
}

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

// nullopt: the file is not there, or is being removed.
std::optional<std::string> read_if_there(const fs::path& file) {
  try {
    if (!path_exists(file)) return std::nullopt;
    return read_file(file);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<std::string> list_if_there(const fs::path& directory) {
  try {
    return list_directory(directory);
  } catch (const Error&) {
    return {};
  }
}

// Puts a file in place whole, and holds a lock on it.
Descriptor put_locked(const fs::path& file, const std::string& text) {
  const fs::path temporary = file.parent_path() / ("." + random_name());
  Descriptor out(temporary, O_WRONLY | O_CREAT | O_EXCL, file);
  out.try_lock();  // in a new file only a missing lock service refuses
  out.write(text);
  rename_path(temporary, file);
  return out;
}

// True if no process holds a lock on the file, which each living one does.
bool is_dead(const fs::path& file) {
  try {
    return Descriptor(file, O_RDONLY).try_lock() == 0;
  } catch (const Error&) {
    return true;
  }
}

}  // namespace

struct Meeting::Impl {
  Impl(const Launch& launch_in, const MeetingOptions& options_in)
      : launch(launch_in), options(options_in), until(Clock::now() + options.deadline) {
    spanforge::create_directories(options.directory);
    // A restart's ranks do not take its predecessor's name, whose ranks may still be ending.
    name_file = options.directory / fmt::format("{}start-{}", kPrefix, launch.restart);
  }

  void wait() const {
    if (options.stop != nullptr && options.stop->load()) {
      throw Error(ErrorCode::kInterrupted, {.where = fmt::format("rank {}", launch.rank)},
                  "stopped on request before all processes met");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  bool late() const { return Clock::now() >= until; }
  [[noreturn]] void refuse_late(const std::string& who) const {
    throw Error(ErrorCode::kPeerLost, options.directory.string(),
                fmt::format("{} did not come within {} s", who, options.deadline.count() / 1000));
  }

  // The lock of all rank 0s. A file that its holder removed meanwhile is no lock.
  void take_lock() {
    const fs::path file = options.directory / kLockName;
    while (true) {
      Descriptor opened(file, O_RDWR | O_CREAT);
      const int error = opened.try_lock();
      struct stat held {};
      struct stat named {};
      const bool same = ::fstat(opened.get(), &held) == 0 && ::stat(file.c_str(), &named) == 0 &&
                        held.st_ino == named.st_ino;
      if (error != EWOULDBLOCK && same) {
        lock = std::move(opened);
        return;
      }
      if (late()) refuse_late("the end of another start that meets here");
      wait();
    }
  }

  // A rank that still takes an earlier start's folder for this one's may be putting its file there.
  // So each entry first gets a name that nobody knows.
  void remove_all() const {
    for (const std::string& name : list_if_there(options.directory)) {
      if (!name.starts_with(kPrefix) || name == kLockName) continue;
      const fs::path gone = options.directory / (std::string(kPrefix) + "gone-" + random_name());
      rename_path(options.directory / name, gone);
      remove_tree(gone);
    }
  }

  void lead() {
    take_lock();
    remove_all();
    const std::string name = std::string(kPrefix) + random_name();
    folder = options.directory / name;
    spanforge::create_directories(folder);
    own = put_locked(folder / file_name(0, random_name()), record());
    put_locked(name_file, name);
    std::map<int, std::vector<std::string>> come;
    while (true) {
      come = those_who_came();
      if (come.size() == static_cast<size_t>(launch.size)) break;
      if (late()) refuse_late(missing(come));
      wait();
    }
    const std::string answer = answer_to(come);
    put_locked(folder / kAnswerName, answer);
    take(answer);
  }

  void follow() {
    const std::string nonce = random_name();
    std::string joined, name;
    while (true) {
      name = read_if_there(name_file).value_or("");
      if (!name.empty() && name != joined) join(name, nonce, joined);
      const auto answer = joined.empty() ? std::nullopt : read_if_there(folder / kAnswerName);
      if (answer && answer->find(nonce) != std::string::npos) return take(*answer);
      if (late()) refuse_late("rank 0");
      wait();
    }
  }

  void join(const std::string& name, const std::string& nonce, std::string& joined) {
    try {
      folder = options.directory / name;
      own = put_locked(folder / file_name(launch.rank, nonce), record());
      joined = name;
    } catch (const Error&) {  // an earlier start's folder that is being removed
      joined.clear();
    }
  }

  std::string record() const { return this_host() + "\n" + options.interface + "\n"; }
  static std::string file_name(int rank, const std::string& nonce) {
    return fmt::format("rank-{}-{}", rank, nonce);
  }

  // The file names of living processes, by rank.
  std::map<int, std::vector<std::string>> those_who_came() const {
    std::map<int, std::vector<std::string>> come;
    for (const std::string& name : list_if_there(folder)) {
      if (!name.starts_with("rank-")) continue;
      const int rank = std::atoi(name.c_str() + 5);
      // This process's own lock would not refuse it.
      if (rank != launch.rank && is_dead(folder / name)) continue;
      come[rank].push_back(name);
    }
    return come;
  }

  std::string missing(const std::map<int, std::vector<std::string>>& come) const {
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

  // First a verdict, then each process's file name and host.
  std::string answer_to(const std::map<int, std::vector<std::string>>& come) const {
    std::string verdict(kMet), rows;
    std::string first_host;
    for (const auto& [rank, files] : come) {
      if (rank >= launch.size) {
        verdict = fmt::format("rendezvous\tholds rank {} of another start, this one has {} ranks",
                              rank, launch.size);
      } else if (files.size() > 1) {
        verdict = fmt::format("rendezvous\ttwo processes came as rank {}", rank);
      }
      for (const std::string& file : files) {
        const auto record = lines_of(read_if_there(folder / file).value_or("\n\n"));
        const std::string host = record.empty() ? "" : record[0];
        if (rank == 0) first_host = host;
        if (host != first_host && options.interface == kLoopback) {
          verdict = fmt::format(
              "interface\tis lo, which does not leave a host, but rank 0 is on {} and rank {} on "
              "{}: name a network interface that connects them",
              first_host, rank, host);
        }
        rows += fmt::format("{}\t{}\n", file, host);
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
    on_this_host = static_cast<int>(std::count_if(
        lines.begin() + 1, lines.end(),
        [host = "\t" + this_host()](const auto& line) { return line.ends_with(host); }));
  }

  void clean() noexcept {
    if (launch.rank != 0 || !lock) return;
    try {
      remove_all();
      remove_tree(options.directory / kLockName);
      std::error_code ignored;
      if (options.removes_directory) fs::remove(options.directory, ignored);
    } catch (const Error&) {  // the next start removes the rest
    }
  }

  const Launch launch;
  const MeetingOptions options;
  const Clock::time_point until;
  fs::path name_file;  // holds the name of the folder
  fs::path folder;
  Descriptor lock, own;
  int on_this_host = 1;
};

Meeting::Meeting(const Launch& launch, const MeetingOptions& options)
    : impl_(std::make_unique<Impl>(launch, options)) {
  try {
    if (launch.rank == 0) {
      impl_->lead();
    } else {
      impl_->follow();
    }
  } catch (const Error&) {
    // The others must have time to read a refusal; an answer is removed by the next start.
    if (!path_exists(impl_->folder / kAnswerName)) impl_->clean();
    throw;
  }
}

Meeting::~Meeting() { impl_->clean(); }

const std::filesystem::path& Meeting::folder() const { return impl_->folder; }
int Meeting::on_this_host() const { return impl_->on_this_host; }

std::filesystem::path default_rendezvous(const Launch& launch) {
  if (launch.on_this_host != launch.size || launch.start.empty()) {
    throw Error(ErrorCode::kUsage, {.parameter = "rendezvous"},
                fmt::format("is needed to start {} processes: a directory that all of them see",
                            launch.size));
  }
  // One folder a user, which nobody else can write to.
  const fs::path mine =
      fs::temp_directory_path() / fmt::format("spanforge-{}", static_cast<unsigned>(::getuid()));
  ::mkdir(mine.c_str(), 0700);
  struct stat found {};
  if (::lstat(mine.c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != ::getuid() ||
      (found.st_mode & 0077) != 0) {
    throw Error(ErrorCode::kIo, mine.string(),
                "is not a directory of this user alone; give `rendezvous`");
  }
  return mine / sha256_hex(launch.start).substr(0, 16);
}

}  // namespace spanforge
