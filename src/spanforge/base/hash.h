#pragma once
// Hash functions and checksums.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace spanforge {

// SHA-256 (FIPS 180-4), incremental. Do not use the object after hex().
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void update(std::string_view bytes);
  std::string hex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
std::string sha256_hex(std::string_view bytes);
std::string sha1_hex(std::string_view bytes);  // git blob ids of the hub

// CRC-32C (Castagnoli, iSCSI), which TensorBoard's records use. Uses the CPU's instruction if there
// is one.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);

// A 64-bit hash that never changes, on any machine and in any version of this program. For splits
// and data keys, not for security.
uint64_t stable_hash(std::string_view bytes, uint64_t seed = 0);

// SipHash-1-3 (Aumasson and Bernstein, 2012; the variant of CPython and Rust). Without the key
// nobody can make texts that collide. Tables use it through KeyedHash (keyed_hash.h) or TextIndex.
uint64_t siphash13(std::string_view bytes, uint64_t key0, uint64_t key1);

}  // namespace spanforge
