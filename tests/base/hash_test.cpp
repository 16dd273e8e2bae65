#include "spanforge/base/hash.h"

#include <set>

#include <gtest/gtest.h>

#include "spanforge/base/random.h"
#include "support/testing.h"

namespace spanforge {
namespace {

TEST(Sha256, GivesTheStandardsVectors) {  // FIPS 180-4's examples
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  const std::string text(10'000, 'x');
  Sha256 hash;
  for (size_t at = 0; at < text.size(); at += 77)
    hash.update(std::string_view(text).substr(at, 77));
  EXPECT_EQ(hash.hex(), sha256_hex(text));
}

TEST(Sha1, GivesTheStandardsVector) {
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

// RFC 3720, appendix B.4.
TEST(Crc32c, GivesTheStandardsVectors) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending += static_cast<char>(i);
  EXPECT_EQ(crc32c(ascending), 0x46dd794eu);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

uint32_t crc32c_bit_by_bit(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
  }
  return ~crc;
}

TEST(Crc32c, EqualsThePlainDefinitionAtEveryLength) {
  CounterStream random(testing::test_seed());
  std::string bytes;
  for (int size = 0; size < 100; ++size) {
    ASSERT_EQ(crc32c(bytes), crc32c_bit_by_bit(bytes)) << size;
    ASSERT_EQ(crc32c(std::string_view(bytes).substr(bytes.size() / 3),
                     crc32c(std::string_view(bytes).substr(0, bytes.size() / 3))),
              crc32c(bytes));
    bytes += static_cast<char>(random.next_u32());
  }
}

TEST(StableHash, DoesNotChange) {  // splits of data depend on it
  std::set<uint64_t> seen;
  for (const char* text : {"", "a", "b", "aa", "文", "12345678", "123456789"}) {
    for (uint64_t seed : {0, 1, 2}) EXPECT_TRUE(seen.insert(stable_hash(text, seed)).second);
  }
  EXPECT_NE(stable_hash(std::string_view("a\0", 2)), stable_hash("a"));
  EXPECT_EQ(stable_hash("context", 42), 11537646110548133463u);
}

TEST(Siphash, EqualsCPython) {  // 3.11 with PYTHONHASHSEED=0: hash(b"...") with the key 0, 0
  EXPECT_EQ(siphash13("abc", 0, 0), 0xc03bc3a0042630f2u);
  EXPECT_EQ(siphash13("01234567", 0, 0), 0xda3dcedf84ea6cc6u);
  EXPECT_EQ(siphash13("0123456789abcdef", 0, 0), 0x1d42b30f7e060c24u);
  EXPECT_NE(siphash13("abc", 1, 0), siphash13("abc", 0, 0));
  EXPECT_NE(siphash13("abc", 0, 1), siphash13("abc", 0, 0));
}

}  // namespace
}  // namespace spanforge
