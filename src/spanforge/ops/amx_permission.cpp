#include "spanforge/ops/instruction_sets.h"
#include "spanforge/ops/tiles_kinds.h"

#if defined(__x86_64__) && defined(__linux__)

#include <sys/syscall.h>
#include <unistd.h>

namespace spanforge::ops {

bool amx_is_usable() {
  if (!may_use(Instructions::kAmx)) return false;
  // Linux gives the tiles' registers only to processes that ask.
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace spanforge::ops

#endif
