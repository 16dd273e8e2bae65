#include "spanforge/parallel/random_name.h"

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {

std::string random_name() {
  std::array<uint64_t, 2> bits{};
  if (::getentropy(bits.data(), sizeof bits) != 0) {
    throw Error(ErrorCode::kInternal, {.where = "getentropy"},
                "the system gives no random numbers");
  }
  return fmt::format("{:016x}{:016x}", bits[0], bits[1]);
}

}  // namespace spanforge
