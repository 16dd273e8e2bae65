#include <bit>
#include <functional>
#include <map>
#include <tuple>

#include <fmt/core.h>

#include "spanforge/base/utf8.h"
#include "spanforge/formats/pickle.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/formats/zip.h"

namespace spanforge {
namespace {

// Writes protocol 2 without a memo: only storages are shared, and those have keys.
class Pickler {
 public:
  explicit Pickler(std::string place) : place_(std::move(place)) {}

  // Returns the pickle. storages() lists its storages; the index is the key.
  std::string dump(const TorchValue& value) {
    out_ = "\x80\x02";
    write(value);
    return out_ + '.';
  }
  const std::vector<std::string_view>& storages() const { return storages_; }

 private:
  void write(const TorchValue& value) {
    std::visit([this](const auto& data) { put(data); }, value.data);
  }

  void little_endian(uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i) out_ += static_cast<char>(value >> (8 * i) & 0xFF);
  }
  void global(std::string_view module, std::string_view name) {
    out_ += fmt::format("c{}\n{}\n", module, name);
  }

  void put(std::monostate) { out_ += 'N'; }
  void put(bool value) { out_ += value ? '\x88' : '\x89'; }
  void put(int64_t value) {
    if (value >= 0 && value < 256) {
      out_ += 'K';
      little_endian(static_cast<uint64_t>(value), 1);
    } else if (value == static_cast<int32_t>(value)) {
      out_ += 'J';
      little_endian(static_cast<uint64_t>(value), 4);
    } else {
      out_ += "\x8a\x08";
      little_endian(static_cast<uint64_t>(value), 8);
    }
  }
  void put(double value) {
    out_ += 'G';  // big-endian
    const auto bits = std::bit_cast<uint64_t>(value);
    for (size_t i = 8; i-- > 0;) out_ += static_cast<char>(bits >> (8 * i) & 0xFF);
  }
  void put(const std::string& text) {
    if (find_invalid_utf8(text)) {
      throw Error(ErrorCode::kInternal, place_, "a text to be saved is not UTF-8");
    }
    out_ += 'X';
    little_endian(text.size(), 4);
    out_ += text;
  }
  void put(const TorchBytes& bytes) {  // protocol 2 needs a text of code points 0 to 255
    std::string latin1;
    for (char c : bytes.bytes) append_utf8(static_cast<unsigned char>(c), latin1);
    global("_codecs", "encode");
    out_ += '(';
    put(latin1);
    put(std::string("latin1"));
    out_ += "tR";
  }
  void put(const TorchList& list) {
    out_ += ']';
    if (list.empty()) return;
    out_ += '(';
    for (const TorchValue& item : list) write(item);
    out_ += 'e';
  }
  void put(const TorchTuple& tuple) {
    if (tuple.items.empty()) {
      out_ += ')';
      return;
    }
    out_ += '(';
    for (const TorchValue& item : tuple.items) write(item);
    out_ += 't';
  }
  void put(const TorchDict& dict) {
    out_ += '}';
    if (dict.items.empty()) return;
    out_ += '(';
    for (const auto& [key, value] : dict.items) {
      write(key);
      write(value);
    }
    out_ += 'u';
  }

  void sizes(const std::vector<int64_t>& values) {
    out_ += '(';
    for (int64_t value : values) put(value);
    out_ += 't';
  }

  size_t storage_key(std::string_view storage, StoredType type) {
    const auto [it, added] =
        keys_.try_emplace({storage.data(), storage.size(), type}, storages_.size());
    if (added) storages_.push_back(storage);
    return it->second;
  }

  void put(const TorchTensor& tensor) {
    const std::string_view storage = tensor.storage.empty() ? tensor.bytes : tensor.storage;
    const std::string_view storage_class = torch_storage_name(tensor.type);
    const size_t element = stored_size(tensor.type);
    const std::less_equal<const char*> not_after;
    const bool inside =
        tensor.bytes.empty() ||
        (not_after(storage.data(), tensor.bytes.data()) &&
         not_after(tensor.bytes.data() + tensor.bytes.size(), storage.data() + storage.size()));
    const auto offset = tensor.bytes.empty()
                            ? size_t{0}
                            : static_cast<size_t>(tensor.bytes.data() - storage.data());
    if (storage_class.empty() || !inside || offset % element != 0 ||
        storage.size() % element != 0 ||
        stored_bytes(tensor.type, tensor.shape) != tensor.bytes.size()) {
      throw Error(ErrorCode::kInternal, place_,
                  fmt::format("a {} tensor's shape, size and storage disagree",
                              stored_type_name(tensor.type)));
    }
    std::vector<int64_t> stride(tensor.shape.size(), 1);
    for (size_t d = stride.size(); d-- > 1;) stride[d - 1] = stride[d] * tensor.shape[d];

    global("torch._utils", "_rebuild_tensor_v2");
    out_ += "((";
    put(std::string("storage"));
    global("torch", storage_class);
    put(std::to_string(storage_key(storage, tensor.type)));
    put(std::string("cpu"));
    put(static_cast<int64_t>(storage.size() / element));
    out_ += "tQ";
    put(static_cast<int64_t>(offset / element));
    sizes(tensor.shape);
    sizes(stride);
    put(false);  // requires_grad
    global("collections", "OrderedDict");
    out_ += ")RtR";
  }

  std::string place_;
  std::string out_;
  std::vector<std::string_view> storages_;
  std::map<std::tuple<const char*, size_t, StoredType>, size_t> keys_;
};

}  // namespace

void write_torch_file(AtomicFile file, const TorchValue& value) {
  constexpr uint64_t kStorageAlignment = 64;
  Pickler pickler(file.path().string());
  const std::string pickle = pickler.dump(value);
  const std::string root = file.path().stem().string() + "/";
  ZipWriter zip([&](std::string_view bytes) { file.write(bytes); });
  zip.add(root + "data.pkl", pickle);
  zip.add(root + "byteorder", "little");
  for (size_t key = 0; key < pickler.storages().size(); ++key) {
    zip.add(fmt::format("{}data/{}", root, key), pickler.storages()[key], kStorageAlignment);
  }
  zip.add(root + "version", "3\n");
  zip.finish();
  file.commit();
}

}  // namespace spanforge
