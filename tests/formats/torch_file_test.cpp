#include "spanforge/formats/torch_file.h"

#include <cstring>

#include <gtest/gtest.h>

#include "spanforge/formats/zip.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;
using Bytes = std::string;

// --- hand-made pickles -------------------------------------------------------------------------

Bytes pickle(const Bytes& body) { return "\x80\x02" + body + "."; }
Bytes text(const Bytes& value) {
  return Bytes("X") + static_cast<char>(value.size()) + Bytes(3, '\0') + value;
}
Bytes small(int value) { return Bytes("K") + static_cast<char>(value); }
Bytes global(const Bytes& module, const Bytes& name) { return "c" + module + "\n" + name + "\n"; }

// A storage of `count` floats under a key.
Bytes storage(const Bytes& key, int count) {
  return "(" + text("storage") + global("torch", "FloatStorage") + text(key) + text("cpu") +
         small(count) + "tQ";
}
Bytes tensor(const Bytes& store, int offset, const Bytes& shape, const Bytes& stride) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + store + small(offset) + shape +
         stride + "\x89" + global("collections", "OrderedDict") + ")RtR";
}
Bytes tuple(std::initializer_list<int> values) {
  Bytes out = "(";
  for (int value : values) out += small(value);
  return out + "t";
}

Bytes archive(const Bytes& data, const std::vector<std::pair<Bytes, Bytes>>& more = {}) {
  Bytes out;
  ZipWriter zip([&](std::string_view bytes) { out += bytes; });
  zip.add("archive/data.pkl", data);
  for (const auto& [name, bytes] : more) zip.add("archive/" + name, bytes);
  zip.finish();
  return out;
}

TorchValue read(const Bytes& body, const std::vector<std::pair<Bytes, Bytes>>& more = {}) {
  return parse_torch_file(archive(pickle(body), more), "f.pt");
}

void expect_bad(const Bytes& bytes, const char* reason) {
  const Error error = expect_error(ErrorCode::kBadModel, [&] { parse_torch_file(bytes, "f.pt"); });
  EXPECT_EQ(error.file(), "f.pt");
  EXPECT_NE(error.reason().find(reason), std::string::npos) << error.reason();
}

// --- values ------------------------------------------------------------------------------------

TEST(TorchFile, EveryValueReadsBackAsItWasWritten) {
  TemporaryDirectory directory;
  const std::string floats(24, 'f');
  TorchDict inner;
  inner.add(int64_t{0}, 1.5);
  inner.add("文",
            TorchList{true, false, TorchValue(), "", -1, 255, 256, 70000, INT64_MIN, INT64_MAX});
  TorchDict dict;
  dict.add("inner", inner);
  dict.add("tuple", TorchTuple{{0.9, 0.999}});
  dict.add("empty", TorchTuple{});
  dict.add("bytes", TorchBytes{std::string("\0\xff\x80z", 4)});
  dict.add("scalar", TorchTensor{StoredType::kF32, {}, std::string_view(floats).substr(0, 4)});
  dict.add("none", TorchTensor{StoredType::kI64, {0, 2}, {}});
  dict.add("part",
           TorchTensor{StoredType::kF32, {2, 2}, std::string_view(floats).substr(8), floats});
  write_torch_file(AtomicFile(directory / "state.pt"), dict);
  const TorchFile file(directory / "state.pt");
  const TorchValue& root = file.root();
  EXPECT_EQ(*root.find("inner")->find(int64_t{0})->get_if<double>(), 1.5);
  const TorchList& list = *root.find("inner")->find("文")->sequence();
  ASSERT_EQ(list.size(), 10u);
  EXPECT_EQ(*list[0].get_if<bool>(), true);
  EXPECT_TRUE(list[2].is_none());
  EXPECT_EQ(*list[3].get_if<std::string>(), "");
  const int64_t numbers[] = {-1, 255, 256, 70000, INT64_MIN, INT64_MAX};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(*list[4 + i].get_if<int64_t>(), numbers[i]);
  EXPECT_EQ(root.find("tuple")->get_if<TorchTuple>()->items.size(), 2u);
  EXPECT_EQ(root.find("bytes")->get_if<TorchBytes>()->bytes, std::string("\0\xff\x80z", 4));
  EXPECT_EQ(root.find("scalar")->get_if<TorchTensor>()->bytes, "ffff");
  EXPECT_EQ(root.find("none")->get_if<TorchTensor>()->shape, (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(root.find("part")->get_if<TorchTensor>()->bytes.size(), 16u);
  EXPECT_EQ(root.find("part")->get_if<TorchTensor>()->storage.size(), 24u);
  EXPECT_EQ(root.find("missing"), nullptr);
  EXPECT_TRUE(root.find("scalar")->number().has_value());
}

TEST(TorchFile, TensorsOfOneStorageShareItInTheFile) {
  TemporaryDirectory directory;
  const std::string big(400'000, 'x');
  TorchList list;
  for (int i = 0; i < 10; ++i) {
    list.push_back(
        TorchTensor{StoredType::kF32,
                    {10'000},
                    std::string_view(big).substr(static_cast<size_t>(i) * 40'000, 40'000),
                    big});
  }
  write_torch_file(AtomicFile(directory / "f.pt"), list);
  EXPECT_LT(fs::file_size(directory / "f.pt"), 410'000u);
  const TorchFile file(directory / "f.pt");
  EXPECT_EQ(file.root().sequence()->at(9).get_if<TorchTensor>()->bytes.size(), 40'000u);
}

TEST(TorchFile, ContiguousTensorsAreViewsOfTheFile) {
  const Bytes bytes = archive(pickle(tensor(storage("0", 4), 1, tuple({3}), tuple({1}))),
                              {{"data/0", "aaaabbbbccccdddd"}});
  const TorchValue value = parse_torch_file(bytes, "f");
  const auto* found = value.get_if<TorchTensor>();
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->bytes, "bbbbccccdddd");
  EXPECT_GE(found->bytes.data(), bytes.data());
  EXPECT_LT(found->bytes.data(), bytes.data() + bytes.size());
}

TEST(TorchFile, StridedTensorsAreCopied) {
  const Bytes data = "aaaabbbbccccddddeeeeffff";
  const TorchValue transposed =
      read(tensor(storage("0", 6), 0, tuple({3, 2}), tuple({1, 3})), {{"data/0", data}});
  EXPECT_EQ(transposed.get_if<TorchTensor>()->bytes, "aaaaddddbbbbeeeeccccffff");
  const TorchValue expanded =
      read(tensor(storage("0", 6), 5, tuple({2}), tuple({0})), {{"data/0", data}});
  EXPECT_EQ(expanded.get_if<TorchTensor>()->bytes, "ffffffff");
}

TEST(TorchFile, ALaterEqualKeyReplacesTheEarlier) {
  const TorchValue value = read("}(" + text("a") + small(1) + text("a") + small(2) + "u");
  EXPECT_EQ(value.get_if<TorchDict>()->items.size(), 1u);
  EXPECT_EQ(*value.find("a")->get_if<int64_t>(), 2);
}

TEST(TorchFile, ANumpyArrayWithoutStateHasNoElements) {
  const Bytes array = global("numpy._core.multiarray", "_reconstruct") + "(" +
                      global("numpy", "ndarray") + tuple({0}) + "tR";
  const TorchValue value = read(array);
  EXPECT_EQ(value.get_if<TorchTensor>()->shape, (std::vector<int64_t>{0}));
  EXPECT_EQ(value.number(), std::nullopt);
}

// --- hostile files -----------------------------------------------------------------------------

struct BadPickle {
  const char* name;
  Bytes body;
  const char* reason;
};

std::vector<BadPickle> bad_pickles() {
  // Each level is a list that holds the previous one twice: 2^40 values in a few hundred bytes.
  Bytes memo_bomb = "]q" + Bytes(1, '\0');
  for (char level = 1; level <= 40; ++level) {
    const Bytes previous = Bytes("h") + static_cast<char>(level - 1);
    memo_bomb += "](" + previous + previous + "eq" + level;
  }
  Bytes deep;
  for (int i = 0; i < 100'000; ++i) deep += "]";
  for (int i = 1; i < 100'000; ++i) deep += "a";
  const Bytes four_gigabytes = Bytes("\xff\xff\xff\xff", 4);
  return {
      {"os.system", global("os", "system") + "(" + text("true") + "tR", "os.system"},
      {"builtins.eval", global("builtins", "eval") + "(" + text("1") + "tR", "builtins.eval"},
      {"posix.system", global("posix", "system") + "(" + text("true") + "tR", "posix.system"},
      {"unknown torch global", global("torch", "load"), "torch.load"},
      {"a name with a dot", global("torch", "nn.Linear"), "torch.nn.Linear"},
      {"stack underflow", "a", "stack underflow"},
      {"pop through a mark", "](a", "stack underflow"},
      {"no mark", "e", "no mark"},
      {"nothing on the stack", "", "other than one value"},
      {"two values", "NN", "other than one value"},
      {"a forgotten mark", "(N", "other than one value"},
      {"text of 4 GB", "X" + four_gigabytes + "abc", "truncated"},
      {"bytes of 2^64", "\x8e" + Bytes(8, '\xff'), "truncated"},
      {"integer of 4 GB", "\x8b" + four_gigabytes, "truncated"},
      {"integer of 10 bytes", "\x8a\x0a" + Bytes(10, '\x01'), "64 bits"},
      {"text that is not UTF-8", "X\x01" + Bytes(3, '\0') + "\xff", "UTF-8"},
      {"memo never set", "h\x07", "never set"},
      {"memo bomb", "(" + memo_bomb + "t", "far more memory than the file"},
      {"100k levels", deep, "64 levels"},
      {"a list in itself", "]q" + Bytes(1, '\0') + "h" + Bytes(1, '\0') + "a", "holds itself"},
      {"append to a text", text("a") + "Na", "other than a list"},
      {"set in a list", "]NNs", "other than a dict"},
      {"call of a text", text("a") + ")R", "other than a function"},
      {"call of a class that is only named", global("numpy", "ndarray") + ")R",
       "may not be called"},
      {"arguments that are no tuple", global("collections", "OrderedDict") + "]R", "tuple"},
      {"attributes of a text", text("a") + "}b", "attributes"},
      {"key that is a list", "}]Ns", "key"},
      {"old opcode", "I1\n", "0x49"},
      {"instance opcode", "(ios\nsystem\n", "0x69"},
      {"persistent id that is no storage", "(" + text("module") + "NNNNtQ", "other than a storage"},
      {"storage of an unknown type",
       "(" + text("storage") + global("collections", "OrderedDict") + text("0") + text("cpu") +
           small(1) + "tQ",
       "unknown type"},
      {"a bare storage", storage("0", 4), "bare storage"},
      {"no such storage", tensor(storage("7", 4), 0, tuple({4}), tuple({1})), "no storage \"7\""},
      {"storage larger than its record", tensor(storage("0", 5), 0, tuple({1}), tuple({1})),
       "beyond its storage"},
      {"shape beyond the storage", tensor(storage("0", 4), 0, tuple({5}), tuple({1})),
       "beyond its storage"},
      {"offset beyond the storage", tensor(storage("0", 4), 4, tuple({1}), tuple({1})),
       "beyond its storage"},
      {"stride beyond the storage", tensor(storage("0", 4), 0, tuple({2, 2}), tuple({3, 1})),
       "beyond its storage"},
      {"negative stride", tensor(storage("0", 4), 3, tuple({2}), "(J\xff\xff\xff\xfft"),
       "negative"},
      {"shape and stride of other lengths", tensor(storage("0", 4), 0, tuple({2, 2}), tuple({1})),
       "disagree"},
      {"expanded to 2^60",
       tensor(storage("0", 4), 0, "(\x8a\x08" + Bytes("\0\0\0\0\0\0\0\x10", 8) + "t", tuple({0})),
       "far more memory than the file"},
      {"shape that overflows",
       tensor(storage("0", 4), 0,
              "(\x8a\x08" + Bytes("\0\0\0\0\0\0\0\x10", 8) + "\x8a\x08" +
                  Bytes("\0\0\0\0\0\0\0\x10", 8) + "t",
              tuple({0, 0})),
       "too large"},
      {"protocol 0", "\x80" + Bytes(1, '\0') + "N", "protocol 0"},
      {"protocol 9", "\x80\x09N", "protocol 9"},
  };
}

TEST(TorchFile, RefusesEveryHostilePickle) {
  ASSERT_GT(bad_pickles().size(), 30u);
  for (const BadPickle& row : bad_pickles()) {
    SCOPED_TRACE(row.name);
    expect_bad(archive(pickle(row.body), {{"data/0", "aaaabbbbccccdddd"}}), row.reason);
  }
}

TEST(TorchFile, EveryTruncationAndFlippedByteIsRefusedOrHarmless) {
  const Bytes whole =
      archive(pickle("}" + text("a") + tensor(storage("0", 2), 0, tuple({2}), tuple({1})) + "s"),
              {{"data/0", "aaaabbbb"}});
  const std::string wanted = "aaaabbbb";
  ASSERT_EQ(parse_torch_file(whole, "f").find("a")->get_if<TorchTensor>()->bytes, wanted);
  for (size_t size = 0; size < whole.size(); ++size) {
    expect_error(ErrorCode::kBadModel, [&] { parse_torch_file(whole.substr(0, size), "f"); });
  }
  int taken = 0, refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    Bytes damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    try {
      const TorchValue value = parse_torch_file(damaged, "f");
      const auto* found = value.find("a");
      ++taken;
      ASSERT_NE(found, nullptr);
      EXPECT_EQ(found->get_if<TorchTensor>()->bytes, wanted);  // dates and the like may differ
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(error.code(), ErrorCode::kBadModel);
    }
  }
  EXPECT_GT(taken, 0);
  EXPECT_GT(refused, 0);
}

// --- hostile archives --------------------------------------------------------------------------

void put(Bytes& bytes, size_t at, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i) & 0xFF);
}

TEST(TorchZip, ACompressedEntryIsRefused) {  // so that no archive can be a bomb
  Bytes bytes = archive(pickle("N"));
  const size_t directory = bytes.find("PK\x01\x02");
  put(bytes, directory + 10, 8, 2);
  expect_bad(bytes, "compressed");
  bytes = archive(pickle("N"));
  put(bytes, directory + 24, 1 << 30, 4);
  expect_bad(bytes, "compressed");
}

TEST(TorchZip, UnsafeNamesAreRefused) {
  for (const char* name : {"../evil", "a/../../evil", "a\\b"}) {
    SCOPED_TRACE(name);
    expect_bad(archive(pickle("N"), {{name, "x"}}), "unsafe");
  }
}

TEST(TorchZip, DuplicateEntriesAreRefused) {
  expect_bad(archive(pickle("N"), {{"data/0", "x"}, {"data/0", "y"}}), "twice");
}

TEST(TorchZip, OverlappingEntriesAreRefused) {
  Bytes bytes = archive(pickle("N"), {{"a", "xx"}, {"b", "xx"}});
  // The second directory entry points to the first one's data and name.
  const size_t first = bytes.find("PK\x01\x02", bytes.find("PK\x01\x02") + 4);
  const size_t second = bytes.find("PK\x01\x02", first + 4);
  bytes.replace(second + 42, 4, bytes.substr(first + 42, 4));
  expect_bad(bytes, "");
}

TEST(TorchZip, AWrongChecksumIsFound) {
  Bytes bytes = archive(pickle("N"), {{"data/0", "payload"}});
  bytes[bytes.find("payload")] = 'P';
  expect_bad(bytes, "checksum");
}

TEST(TorchZip, ADirectoryOutsideTheFileIsRefused) {
  Bytes bytes = archive(pickle("N"));
  put(bytes, bytes.size() - 6, 0x7FFFFFFF, 4);
  expect_bad(bytes, "outside");
}

TEST(TorchZip, BigEndianFilesAreRefused) {
  expect_bad(archive(pickle("N"), {{"byteorder", "big"}}), "big-endian");
}

TEST(TorchZip, AnArchiveOfSomethingElseIsNamed) {
  Bytes out;
  ZipWriter zip([&](std::string_view bytes) { out += bytes; });
  zip.add("word/document.xml", "<x/>");
  zip.finish();
  expect_bad(out, "data.pkl");
}

TEST(TorchZip, OtherFilesAreNamed) {
  expect_bad("", "not a file of torch.save");
  expect_bad("hello", "not a file of torch.save");
  expect_bad("<!DOCTYPE html>", "web page");
}

TEST(Crc32, EqualsThePlainDefinitionAcrossChunks) {
  EXPECT_EQ(crc32_ieee("123456789"), 0xCBF43926u);
  EXPECT_EQ(crc32_ieee(""), 0u);
  std::string large((size_t{8} << 20) * 2 + 123, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 24);
  uint32_t table[256];
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
    table[b] = crc;
  }
  uint32_t plain = ~0u;
  for (unsigned char c : large) plain = (plain >> 8) ^ table[(plain ^ c) & 0xFF];
  EXPECT_EQ(crc32_ieee(large), ~plain);
}

// --- the legacy form ---------------------------------------------------------------------------

Bytes legacy(const Bytes& body, const Bytes& keys, const Bytes& storages) {
  const Bytes magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  const Bytes system = "}(" + text("little_endian") + "\x88u";
  return magic + pickle("M\xe9\x03") + pickle(system) + pickle(body) + pickle(keys) + storages;
}
Bytes legacy_storage(const Bytes& key, int count, const Bytes& view) {
  return "(" + text("storage") + global("torch", "FloatStorage") + text(key) + text("cpu") +
         small(count) + view + "tQ";
}
Bytes stored(uint64_t count, const Bytes& data) {
  Bytes out(8, '\0');
  std::memcpy(out.data(), &count, 8);
  return out + data;
}

TEST(TorchLegacy, ReadsTensors) {
  const Bytes file = legacy(tensor(legacy_storage("9", 3, "N"), 1, tuple({2}), tuple({1})),
                            "]" + text("9") + "a", stored(3, "aaaabbbbcccc"));
  EXPECT_EQ(parse_torch_file(file, "f").get_if<TorchTensor>()->bytes, "bbbbcccc");
}

TEST(TorchLegacy, ReadsViewsOfAStorage) {
  const Bytes view = "(" + text("10") + small(1) + small(2) + "t";
  const Bytes file = legacy(tensor(legacy_storage("9", 3, view), 0, tuple({2}), tuple({1})),
                            "]" + text("9") + "a", stored(3, "aaaabbbbcccc"));
  EXPECT_EQ(parse_torch_file(file, "f").get_if<TorchTensor>()->bytes, "bbbbcccc");
}

TEST(TorchLegacy, TruncatedOrInconsistentFilesAreRefused) {
  const Bytes body = tensor(legacy_storage("9", 3, "N"), 0, tuple({3}), tuple({1}));
  const Bytes keys = "]" + text("9") + "a";
  expect_bad(legacy(body, keys, stored(3, "aaaabbbbccc")), "truncated");
  expect_bad(legacy(body, keys, stored(~uint64_t{0}, "aaaabbbbcccc")), "truncated");
  expect_bad(legacy(body, keys, "abc"), "truncated");
  expect_bad(legacy(body, "]", ""), "no storage");
  expect_bad(legacy(body, "]" + text("8") + "a", stored(3, "aaaabbbbcccc")), "nothing refers to");
  expect_bad(legacy(body, keys, stored(2, "aaaabbbb")), "beyond its storage");
  const Bytes whole = legacy(body, keys, stored(3, "aaaabbbbcccc"));
  for (size_t size = 15; size < whole.size(); ++size) {
    expect_error(ErrorCode::kBadModel, [&] { parse_torch_file(whole.substr(0, size), "f"); });
  }
}

}  // namespace
}  // namespace spanforge
