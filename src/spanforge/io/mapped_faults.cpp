#include "spanforge/io/mapped_faults.h"

#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

// A chain that only grows and whose entries are used again, so that a signal handler can walk it at
// any moment. Changed under the mutex, which the handler does not need.
struct Mapping {
  std::atomic<uintptr_t> begin{0}, end{0};  // end 0: free
  std::string line;
  Mapping* next = nullptr;
};
static_assert(std::atomic<uintptr_t>::is_always_lock_free);
static_assert(std::atomic<Mapping*>::is_always_lock_free);

std::atomic<Mapping*> mappings{nullptr};
std::mutex changing;

Mapping& free_mapping() {
  for (Mapping* mapping = mappings; mapping != nullptr; mapping = mapping->next) {
    if (mapping->end == 0) return *mapping;
  }
  auto* mapping = new Mapping;
  mapping->next = mappings;
  mappings = mapping;
  return *mapping;
}

// What to say of a touch of `address`; nullptr: no mapped file of ours is there. The entry that has
// it cannot change meanwhile, since who touches it still holds it; others can, and are passed by.
const std::string* line_of(uintptr_t address) {
  for (const Mapping* mapping = mappings; mapping != nullptr; mapping = mapping->next) {
    const uintptr_t end = mapping->end, begin = mapping->begin;
    if (begin <= address && address < end && mapping->end == end) return &mapping->line;
  }
  return nullptr;
}

const char* line_prefix = "";
struct sigaction earlier_action;
std::atomic_flag ending;

extern "C" void on_bus_error(int signal, siginfo_t* info, void*) {
  // A code above 0: the system says it, not another process, and there is an address.
  const std::string* line =
      info->si_code > 0 ? line_of(reinterpret_cast<uintptr_t>(info->si_addr)) : nullptr;
  if (line == nullptr) {
    ::sigaction(signal, &earlier_action, nullptr);
    if (info->si_code <= 0) ::raise(signal);  // the touch happens again by itself
    return;
  }
  while (ending.test_and_set()) ::pause();  // of many threads one speaks
  const iovec parts[] = {{const_cast<char*>(line_prefix), std::strlen(line_prefix)},
                         {const_cast<char*>(line->data()), line->size()}};
  [[maybe_unused]] const ssize_t unheard = ::writev(STDERR_FILENO, parts, 2);
  ::_exit(exit_code(ErrorCode::kIo));
}

}  // namespace

void end_when_mapped_file_is_cut_off(const char* prefix) {
  line_prefix = prefix;
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, &earlier_action);
}

void note_mapping(std::string_view bytes, const std::filesystem::path& path) {
  std::string line = std::string(Error(ErrorCode::kIo, path.string(), kCutOff).what()) + "\n";
  const std::lock_guard<std::mutex> lock(changing);
  Mapping& mapping = free_mapping();
  mapping.line = std::move(line);
  mapping.begin = reinterpret_cast<uintptr_t>(bytes.data());
  mapping.end = mapping.begin + bytes.size();
}

void forget_mapping(std::string_view bytes) {
  const std::lock_guard<std::mutex> lock(changing);
  for (Mapping* mapping = mappings; mapping != nullptr; mapping = mapping->next) {
    if (mapping->end != 0 && mapping->begin == reinterpret_cast<uintptr_t>(bytes.data())) {
      mapping->end = 0;
      return;
    }
  }
}

}  // namespace spanforge
