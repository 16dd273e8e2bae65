// What: A library to preload (LD_PRELOAD) into the program under test. It watches the calls that
//   read and write files, and makes one of them fail. It links to nothing of ours.
// Environment:
//   FAULT_ROOT   only calls on files below this directory count (an absolute path without links)
//   FAULT_TRACE  file that receives a line per counted call: OP <tab> NAME <tab> K <tab> RESULT;
//                RESULT is "ok", a number of bytes, or the errno. A rename has "from -> to" as
//                NAME.
//   FAULT_AT     "OP<tab>NAME<tab>K": the K-th (from 1) such call fails. Calls are counted per
//                operation and file, not all together, so that K means the same call in every run,
//                whatever the threads do meanwhile.
//   FAULT_HOW    errno N         the call does nothing and fails with errno N
//                full            it and every later call that needs room fails with ENOSPC
//                short           a read or write of half the bytes
//                kill-before, kill-after   SIGKILL
//                signal N, signals N       signal N is raised, then the call goes on; "signals"
//                                twice
//                delay N         waits N milliseconds first
//                cut N           of mmap: after it, the file is truncated to N percent of the map
//   FAULT_NO_EXCHANGE  set: a rename that exchanges two names fails with EINVAL, uncounted
// Names are relative to FAULT_ROOT, without numbers that differ from run to run
// (NAME.PID-N.tmp is NAME.tmp, an event file is "events", .spanforge-staged-PID-N is "staged").

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

struct Plan {
  std::string root = environment("FAULT_ROOT");
  std::string at = environment("FAULT_AT");
  std::string how = environment("FAULT_HOW");
  int trace = -1;
  std::mutex mutex;
  std::map<std::string, long> counts;
  bool full = false;  // the disk, after the fault

  Plan() {
    const std::string file = environment("FAULT_TRACE");
    if (file.empty()) return;
    trace = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, file.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  }
};

Plan& plan() {
  static Plan* const one = new Plan;  // never destroyed: files are closed after main, too
  return *one;
}

thread_local bool inside = false;  // this library's own calls do not count

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

constexpr const char* kStaged = ".spanforge-staged-";

// The name below the root without what differs from run to run; "" for files elsewhere.
std::string normalised(const std::string& path) {
  const std::string& root = plan().root;
  if (root.empty() || path.compare(0, root.size(), root) != 0) return "";
  if (path.size() == root.size()) return ".";
  if (path[root.size()] != '/') return "";
  std::string name = path.substr(root.size() + 1);
  if (const size_t at = name.find("events.out.tfevents."); at != std::string::npos) {
    return name.substr(0, at) + "events";
  }
  if (ends_with(name, ".tmp")) {
    const size_t dot = name.rfind('.', name.size() - 5);
    if (dot != std::string::npos) name = name.substr(0, dot) + ".tmp";
  }
  if (const size_t at = name.find(kStaged); at != std::string::npos) {
    name = name.substr(0, at) + "staged" + name.substr(std::min(name.size(), name.find('/', at)));
  }
  return name;
}

std::string path_of(int fd) {
  char link[64], path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = ::syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path);
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : "";
}

std::string absolute(int directory, const char* path) {
  std::string all = path != nullptr ? path : "";
  if (all.empty() || all[0] != '/') {
    char here[PATH_MAX];
    std::string base;
    if (directory != AT_FDCWD) {
      base = path_of(directory);
    } else if (::syscall(SYS_getcwd, here, sizeof here) > 0) {
      base = here;
    }
    all = base + "/" + all;
  }
  std::string clean;  // without "." and double slashes; tests use no ".."
  for (size_t i = 0; i < all.size();) {
    const size_t end = std::min(all.find('/', i), all.size());
    const std::string part = all.substr(i, end - i);
    if (!part.empty() && part != ".") clean += "/" + part;
    i = end + 1;
  }
  return clean;
}

// One counted call: what to do instead of it, and what to record afterwards.
class Call {
 public:
  Call(const char* op, const std::string& path, bool takes_room = false)
      : Call(op, inside ? "" : normalised(path), takes_room, 0) {}
  static Call renaming(const std::string& from, const std::string& to) {
    const std::string name = inside ? "" : normalised(from);
    return Call("rename", name.empty() ? "" : name + " -> " + normalised(to), true, 0);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { inside = was_inside_; }

  // True: the call fails without being made; errno says why.
  bool fails() {
    if (error_ == 0) return false;
    say(std::to_string(error_));
    errno = error_;
    return true;
  }
  bool is_short() const { return short_; }
  std::optional<size_t> percent_left() const { return percent_left_; }
  // REQUIRES: called with the real call's result and its errno.
  template <class Result>
  Result done(Result result, bool failed) {
    const int error = errno;
    say(failed ? std::to_string(error) : "ok");
    if (kill_after_) kill_now();
    errno = error;
    return result;
  }
  ssize_t bytes(ssize_t result) {
    const int error = errno;
    say(result < 0 ? std::to_string(error) : std::to_string(result) + " bytes");
    if (kill_after_) kill_now();
    errno = error;
    return result;
  }

 private:
  Call(const char* op, std::string name, bool takes_room, int)
      : op_(op), name_(std::move(name)), was_inside_(inside) {
    if (name_.empty()) return;
    inside = true;
    Plan& p = plan();
    {
      const std::lock_guard<std::mutex> lock(p.mutex);
      number_ = ++p.counts[op_ + "\t" + name_];
    }
    if (p.full && takes_room) error_ = ENOSPC;
    if (p.at != op_ + "\t" + name_ + "\t" + std::to_string(number_)) return;
    if (p.how.rfind("errno ", 0) == 0) error_ = std::atoi(p.how.c_str() + 6);
    if (p.how == "full") {
      p.full = true;
      error_ = ENOSPC;
    }
    short_ = p.how == "short";
    if (p.how == "kill-before") {
      say("killed");
      kill_now();
    }
    kill_after_ = p.how == "kill-after";
    if (p.how.rfind("cut ", 0) == 0) percent_left_ = std::strtoul(p.how.c_str() + 4, nullptr, 10);
    if (p.how.rfind("delay ", 0) == 0) {
      for (int left = std::atoi(p.how.c_str() + 6); left > 0; left -= 10) ::usleep(10'000);
    }
    if (p.how.rfind("signal", 0) == 0) {
      const int signal = std::atoi(p.how.c_str() + p.how.find(' '));
      say("signal");
      ::kill(::getpid(), signal);
      if (p.how[6] == 's') ::kill(::getpid(), signal);
    }
  }

  void say(const std::string& result) const {
    const int trace = plan().trace;
    if (trace < 0 || name_.empty()) return;
    const std::string line =
        op_ + "\t" + name_ + "\t" + std::to_string(number_) + "\t" + result + "\n";
    ::syscall(SYS_write, trace, line.data(), line.size());
  }
  [[noreturn]] static void kill_now() {
    ::syscall(SYS_kill, ::syscall(SYS_getpid), SIGKILL);
    for (;;) ::pause();
  }

  std::string op_, name_;
  bool was_inside_;
  long number_ = 0;
  int error_ = 0;
  bool short_ = false, kill_after_ = false;
  std::optional<size_t> percent_left_;
};

template <class Function>
Function* real(Function*, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}
#define REAL(name) \
  static auto* const real_##name = real(static_cast<decltype(::name)*>(nullptr), #name)

int open_file(int directory, const char* path, int flags, mode_t mode) {
  const bool writes = (flags & O_CREAT) != 0;
  Call call(writes                       ? "create"
            : (flags & O_DIRECTORY) != 0 ? "opendir"
                                         : "open",
            absolute(directory, path), writes);
  if (call.fails()) return -1;
  const int fd = static_cast<int>(::syscall(SYS_openat, directory, path, flags, mode));
  return call.done(fd, fd < 0);
}

mode_t mode_of(int flags, va_list list) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? static_cast<mode_t>(va_arg(list, int)) : 0;
}

// Half the bytes, in whole blocks if there are some, as the kernel does.
size_t half(size_t count) {
  const size_t less = count / 2;
  return less >= 512 ? less / 512 * 512 : less;
}

template <class F>
ssize_t transfer(const char* op, int fd, size_t count, const F& make) {
  Call call(op, path_of(fd), op[0] == 'w');
  if (call.fails()) return -1;
  return call.bytes(make(call.is_short() && count > 1 ? half(count) : count));
}

template <class F>
int simple(const char* op, const std::string& path, bool takes_room, const F& make) {
  Call call(op, path, takes_room);
  if (call.fails()) return -1;
  const int result = make();
  return call.done(result, result != 0);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_file(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_file(AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_file(directory, path, flags, mode);
}
int openat64(int directory, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_file(directory, path, flags, mode);
}
int __open_2(const char* path, int flags) { return open_file(AT_FDCWD, path, flags, 0); }
int __open64_2(const char* path, int flags) { return open_file(AT_FDCWD, path, flags, 0); }
int __openat_2(int directory, const char* path, int flags) {
  return open_file(directory, path, flags, 0);
}
int creat(const char* path, mode_t mode) {
  return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

FILE* fopen64(const char* path, const char* mode) {
  REAL(fopen64);
  Call call(mode[0] == 'r' ? "open" : "create", absolute(AT_FDCWD, path), mode[0] != 'r');
  if (call.fails()) return nullptr;
  FILE* file = real_fopen64(path, mode);
  return call.done(file, file == nullptr);
}
FILE* fopen(const char* path, const char* mode) { return fopen64(path, mode); }

DIR* opendir(const char* path) {
  REAL(opendir);
  Call call("opendir", absolute(AT_FDCWD, path));
  if (call.fails()) return nullptr;
  DIR* directory = real_opendir(path);
  return call.done(directory, directory == nullptr);
}
struct dirent* readdir(DIR* directory) {
  REAL(readdir);
  Call call("readdir", path_of(::dirfd(directory)));
  if (call.fails()) return nullptr;
  struct dirent* entry = real_readdir(directory);
  return call.done(entry, false);
}

ssize_t read(int fd, void* data, size_t count) {
  return transfer("read", fd, count, [&](size_t n) { return ::syscall(SYS_read, fd, data, n); });
}
ssize_t __read_chk(int fd, void* data, size_t count, size_t) { return read(fd, data, count); }
ssize_t pread(int fd, void* data, size_t count, off_t offset) {
  return transfer("read", fd, count,
                  [&](size_t n) { return ::syscall(SYS_pread64, fd, data, n, offset); });
}
ssize_t pread64(int fd, void* data, size_t count, off64_t offset) {
  return pread(fd, data, count, offset);
}
ssize_t __pread_chk(int fd, void* data, size_t count, off_t offset, size_t) {
  return pread(fd, data, count, offset);
}
ssize_t write(int fd, const void* data, size_t count) {
  return transfer("write", fd, count, [&](size_t n) { return ::syscall(SYS_write, fd, data, n); });
}
ssize_t pwrite(int fd, const void* data, size_t count, off_t offset) {
  return transfer("write", fd, count,
                  [&](size_t n) { return ::syscall(SYS_pwrite64, fd, data, n, offset); });
}
ssize_t pwrite64(int fd, const void* data, size_t count, off64_t offset) {
  return pwrite(fd, data, count, offset);
}
ssize_t writev(int fd, const struct iovec* parts, int count) {
  return transfer("write", fd, static_cast<size_t>(count),
                  [&](size_t n) { return ::syscall(SYS_writev, fd, parts, static_cast<int>(n)); });
}

int fsync(int fd) {
  return simple("fsync", path_of(fd), false,
                [&] { return static_cast<int>(::syscall(SYS_fsync, fd)); });
}
int fdatasync(int fd) {
  return simple("fsync", path_of(fd), false,
                [&] { return static_cast<int>(::syscall(SYS_fdatasync, fd)); });
}
int ftruncate(int fd, off_t size) {
  return simple("truncate", path_of(fd), false,
                [&] { return static_cast<int>(::syscall(SYS_ftruncate, fd, size)); });
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
int fallocate(int fd, int mode, off_t offset, off_t size) {
  return simple("allocate", path_of(fd), true,
                [&] { return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, size)); });
}

// The descriptor is closed even if close reports an error, as in Linux.
int close(int fd) {
  Call call("close", path_of(fd));
  if (call.fails()) {
    const int error = errno;
    ::syscall(SYS_close, fd);
    errno = error;
    return -1;
  }
  const int result = static_cast<int>(::syscall(SYS_close, fd));
  return call.done(result, result != 0);
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to,
              unsigned flags) {
  if (flags != 0 && std::getenv("FAULT_NO_EXCHANGE") != nullptr) {
    errno = EINVAL;
    return -1;
  }
  Call call = Call::renaming(absolute(from_directory, from), absolute(to_directory, to));
  if (call.fails()) return -1;
  const int result =
      static_cast<int>(::syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
  return call.done(result, result != 0);
}
int renameat(int from_directory, const char* from, int to_directory, const char* to) {
  return renameat2(from_directory, from, to_directory, to, 0);
}
int rename(const char* from, const char* to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int directory, const char* path, int flags) {
  return simple((flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink", absolute(directory, path), false,
                [&] { return static_cast<int>(::syscall(SYS_unlinkat, directory, path, flags)); });
}
int unlink(const char* path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char* path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) {
  REAL(remove);
  return simple("unlink", absolute(AT_FDCWD, path), false, [&] { return real_remove(path); });
}

int mkdirat(int directory, const char* path, mode_t mode) {
  return simple("mkdir", absolute(directory, path), true,
                [&] { return static_cast<int>(::syscall(SYS_mkdirat, directory, path, mode)); });
}
int mkdir(const char* path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
  const auto make = [&] {
    return reinterpret_cast<void*>(
        ::syscall(SYS_mmap, address, size, protection, flags, fd, offset));
  };
  if (fd < 0 || inside || plan().root.empty()) return make();
  const std::string path = path_of(fd);
  Call call("mmap", path);
  if (call.fails()) return MAP_FAILED;
  void* result = make();
  if (const auto percent = call.percent_left()) {
    ::syscall(SYS_truncate, path.c_str(), size * *percent / 100);
  }
  return call.done(result, result == MAP_FAILED);
}
void* mmap64(void* address, size_t size, int protection, int flags, int fd, off64_t offset) {
  return mmap(address, size, protection, flags, fd, offset);
}

int stat(const char* path, struct stat* info) {
  REAL(stat);
  return simple("stat", absolute(AT_FDCWD, path), false, [&] { return real_stat(path, info); });
}
int lstat(const char* path, struct stat* info) {
  REAL(lstat);
  return simple("stat", absolute(AT_FDCWD, path), false, [&] { return real_lstat(path, info); });
}
int fstat(int fd, struct stat* info) {
  REAL(fstat);
  return simple("stat", path_of(fd), false, [&] { return real_fstat(fd, info); });
}
int fstat64(int fd, struct stat64* info) {
  return fstat(fd, reinterpret_cast<struct stat*>(info));  // the same on 64 bit
}
int fstatat(int directory, const char* path, struct stat* info, int flags) {
  REAL(fstatat);
  return simple("stat", absolute(directory, path), false,
                [&] { return real_fstatat(directory, path, info, flags); });
}
int statvfs(const char* path, struct statvfs* info) {
  REAL(statvfs);
  return simple("statvfs", absolute(AT_FDCWD, path), false,
                [&] { return real_statvfs(path, info); });
}
int flock(int fd, int operation) {
  return simple("flock", path_of(fd), false,
                [&] { return static_cast<int>(::syscall(SYS_flock, fd, operation)); });
}

}  // extern "C"
