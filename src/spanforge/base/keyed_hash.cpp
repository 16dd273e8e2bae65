#include "spanforge/base/keyed_hash.h"

#include <sys/random.h>

#include <array>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"

namespace spanforge {
namespace {

using Key = std::array<uint64_t, 2>;

Key draw_key() {
  Key key{};
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // a fuzzer needs the same run for each input
  if (::getentropy(key.data(), sizeof key) != 0) {
    throw Error(ErrorCode::kInternal, {.where = "getentropy"},
                "the system gives no random numbers");
  }
#endif
  return key;
}

}  // namespace

uint64_t keyed_hash(std::string_view bytes) {
  static const Key key = draw_key();
  return siphash13(bytes, key[0], key[1]);
}

}  // namespace spanforge
