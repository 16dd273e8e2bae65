#include "spanforge/base/hash.h"

#include <bit>
#include <cstring>

#include <openssl/evp.h>

#include "spanforge/base/error.h"
#include "spanforge/base/random.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace spanforge {
namespace {

std::string to_hex(const unsigned char* bytes, size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(size * 2);
  for (size_t i = 0; i < size; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

void require(bool ok) {
  if (!ok)
    throw Error(ErrorCode::kInternal, {.where = "OpenSSL"}, "a digest could not be computed");
}

uint64_t load_u64(const char* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

class SipState {
 public:
  SipState(uint64_t key0, uint64_t key1)
      : a_(key0 ^ 0x736f6d6570736575),
        b_(key1 ^ 0x646f72616e646f6d),
        c_(key0 ^ 0x6c7967656e657261),
        d_(key1 ^ 0x7465646279746573) {}
  void add(uint64_t block) {
    d_ ^= block;
    round();
    a_ ^= block;
  }
  uint64_t finish() {
    c_ ^= 0xff;
    for (int i = 0; i < 3; ++i) round();
    return a_ ^ b_ ^ c_ ^ d_;
  }

 private:
  void round() {
    a_ += b_, c_ += d_;
    b_ = std::rotl(b_, 13) ^ a_;
    d_ = std::rotl(d_, 16) ^ c_;
    a_ = std::rotl(a_, 32);
    c_ += b_, a_ += d_;
    b_ = std::rotl(b_, 17) ^ c_;
    d_ = std::rotl(d_, 21) ^ a_;
    c_ = std::rotl(c_, 32);
  }
  uint64_t a_, b_, c_, d_;
};

// Tables for slicing by 8: kTables[k][b] is the CRC of byte b followed by k zero bytes.
using Crc32cTables = std::array<std::array<uint32_t, 256>, 8>;
constexpr Crc32cTables make_crc32c_tables() {
  Crc32cTables tables{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
    tables[0][b] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t b = 0; b < 256; ++b) {
      const uint32_t previous = tables[k - 1][b];
      tables[k][b] = (previous >> 8) ^ tables[0][previous & 0xFF];
    }
  }
  return tables;
}
constexpr Crc32cTables kCrc32cTables = make_crc32c_tables();

uint32_t crc32c_portable(std::string_view bytes, uint32_t crc) {
  const auto& t = kCrc32cTables;
  while (bytes.size() >= 8) {
    const uint64_t word = load_u64(bytes.data()) ^ crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k) crc ^= t[7 - k][(word >> (8 * k)) & 0xFF];
    bytes.remove_prefix(8);
  }
  for (char c : bytes) crc = (crc >> 8) ^ t[0][(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(std::string_view bytes, uint32_t crc) {
  uint64_t wide = crc;
  while (bytes.size() >= 8) {
    wide = _mm_crc32_u64(wide, load_u64(bytes.data()));
    bytes.remove_prefix(8);
  }
  crc = static_cast<uint32_t>(wide);
  for (char c : bytes) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(c));
  return crc;
}
#endif

}  // namespace

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  require(impl_->context != nullptr &&
          EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  require(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(impl_->context, digest, &size) == 1);
  return to_hex(digest, size);
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha1_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  require(EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha1(), nullptr) == 1);
  return to_hex(digest, size);
}

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return ~crc32c_sse42(bytes, ~crc);
#endif
  return ~crc32c_portable(bytes, ~crc);
}

uint64_t stable_hash(std::string_view bytes, uint64_t seed) {
  // The length comes first, so that a text and the same text with zero bytes appended differ.
  uint64_t hash = combine(mix64(seed), bytes.size());
  while (bytes.size() >= 8) {
    hash = combine(hash, load_u64(bytes.data()));
    bytes.remove_prefix(8);
  }
  uint64_t tail = 0;
  std::memcpy(&tail, bytes.data(), bytes.size());
  return combine(hash, tail);
}

uint64_t siphash13(std::string_view bytes, uint64_t key0, uint64_t key1) {
  SipState state(key0, key1);
  uint64_t last = static_cast<uint64_t>(bytes.size()) << 56;
  while (bytes.size() >= 8) {
    state.add(load_u64(bytes.data()));
    bytes.remove_prefix(8);
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    last |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  state.add(last);
  return state.finish();
}

}  // namespace spanforge
