#include "spanforge/formats/pickle.h"

#include <array>
#include <bit>

#include <fmt/core.h>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/utf8.h"
#include "spanforge/formats/pickle_calls.h"

namespace spanforge {
namespace {

struct StorageRow {
  StoredType type;
  std::string_view storage, dtype;
};
// Types without a storage class in torch are stored untyped and have only a dtype.
constexpr std::array<StorageRow, 15> kStorages = {{
    {StoredType::kF32, "FloatStorage", "float32"},
    {StoredType::kF64, "DoubleStorage", "float64"},
    {StoredType::kF16, "HalfStorage", "float16"},
    {StoredType::kBf16, "BFloat16Storage", "bfloat16"},
    {StoredType::kI64, "LongStorage", "int64"},
    {StoredType::kI32, "IntStorage", "int32"},
    {StoredType::kI16, "ShortStorage", "int16"},
    {StoredType::kI8, "CharStorage", "int8"},
    {StoredType::kU8, "ByteStorage", "uint8"},
    {StoredType::kBool, "BoolStorage", "bool"},
    {StoredType::kU16, "", "uint16"},
    {StoredType::kU32, "", "uint32"},
    {StoredType::kU64, "", "uint64"},
    {StoredType::kF8E4m3, "", "float8_e4m3fn"},
    {StoredType::kF8E5m2, "", "float8_e5m2"},
}};

// The memo. Picklers number its entries 0, 1, 2, ...; other numbers are also legal.
class Memo {
 public:
  size_t size() const { return in_order_.size() + others_.size(); }
  void set(uint64_t index, PickleNode* node) {
    if (index < in_order_.size()) {
      in_order_[index] = node;
    } else if (index == in_order_.size()) {
      others_.erase(index);
      in_order_.push_back(node);
    } else {
      others_[index] = node;
    }
  }
  PickleNode* find(uint64_t index) const {  // nullptr: it was never set
    if (index < in_order_.size()) return in_order_[index];
    const auto found = others_.find(index);
    return found == others_.end() ? nullptr : found->second;
  }

 private:
  std::vector<PickleNode*> in_order_;  // from 0 up to the first missing one
  KeyedMap<uint64_t, PickleNode*> others_;
};

}  // namespace

std::optional<StoredType> find_torch_storage_type(std::string_view name) {
  if (name == "UntypedStorage") return StoredType::kU8;
  for (const StorageRow& row : kStorages) {
    if ((!row.storage.empty() && row.storage == name) || row.dtype == name) return row.type;
  }
  return std::nullopt;
}

std::string_view torch_storage_name(StoredType type) {
  for (const StorageRow& row : kStorages) {
    if (row.type == type) return row.storage;
  }
  return "";
}

PickleMachine::PickleMachine(std::string_view bytes, const std::string& place, MemoryBudget& budget)
    : bytes_(bytes), place_(place), budget_(budget) {}
PickleMachine::~PickleMachine() = default;

// One run: a stack of values, a stack of marks (heights of the value stack), and a memo.
class PickleMachine::Run {
 public:
  Run(PickleMachine& machine, size_t position) : machine_(machine), position_(position) {}

  PickleNode* execute(size_t& end) {
    while (true) {
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') break;
      if (!scalar(op) && !text(op) && !container(op) && !memo(op)) call(op);
    }
    if (stack_.size() != 1 || !marks_.empty()) fail("the pickle ends with other than one value");
    end = position_;
    return stack_[0];
  }

 private:
  using Nodes = std::vector<PickleNode*>;

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kBadModel, machine_.place_,
                fmt::format("pickle byte {}: {}", position_, what));
  }

  std::string_view take(uint64_t size) {
    if (size > machine_.bytes_.size() - position_) fail("the pickle is truncated");
    const std::string_view bytes = machine_.bytes_.substr(position_, size);
    position_ += size;
    return bytes;
  }
  uint64_t take_number(size_t size) {
    const std::string_view bytes = take(size);
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }

  template <class T>
  PickleNode* make(T&& value) {
    machine_.budget_.charge(sizeof(PickleNode));
    return &machine_.nodes_.emplace_back(PickleNode{std::forward<T>(value)});
  }
  void push(PickleNode* node) {
    machine_.budget_.charge(sizeof(PickleNode*));
    stack_.push_back(node);
  }
  template <class T>
  void push_new(T&& value) {
    push(make(std::forward<T>(value)));
  }
  // Pops only values above the last mark: those below belong to another opcode.
  PickleNode* pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail("stack underflow");
    PickleNode* node = stack_.back();
    stack_.pop_back();
    return node;
  }
  PickleNode* top() {
    PickleNode* node = pop();
    stack_.push_back(node);
    return node;
  }
  Nodes pop_to_mark() {
    if (marks_.empty()) fail("there is no mark on the stack");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    Nodes items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  Nodes pop_count(size_t count) {
    Nodes items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    return items;
  }

  void push_integer(std::string_view little_endian) {
    if (little_endian.size() > 8) fail("an integer of more than 64 bits");
    uint64_t value = 0;
    const bool negative = !little_endian.empty() && (little_endian.back() & 0x80) != 0;
    if (negative) value = ~uint64_t{0};
    for (size_t i = little_endian.size(); i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(little_endian[i]);
    }
    push_new(static_cast<int64_t>(value));
  }

  bool scalar(unsigned char op) {
    switch (op) {
      case 0x80:  // PROTO
        if (const uint64_t version = take_number(1); version < 2 || version > 5) {
          fail(fmt::format("has pickle protocol {}; only 2 to 5 are supported", version));
        }
        return true;
      case 0x95: take(8); return true;  // FRAME: a hint for buffering only
      case 'N': push_new(std::monostate()); return true;
      case 0x88: push_new(true); return true;
      case 0x89: push_new(false); return true;
      case 'J': push_new(int64_t{static_cast<int32_t>(take_number(4))}); return true;
      case 'K': push_new(static_cast<int64_t>(take_number(1))); return true;
      case 'M': push_new(static_cast<int64_t>(take_number(2))); return true;
      case 0x8A: push_integer(take(take_number(1))); return true;  // LONG1
      case 0x8B: push_integer(take(take_number(4))); return true;  // LONG4
      case 'G': {
        const std::string_view bytes = take(8);  // big-endian
        uint64_t bits = 0;
        for (char c : bytes) bits = bits << 8 | static_cast<unsigned char>(c);
        push_new(std::bit_cast<double>(bits));
        return true;
      }
      default: return false;
    }
  }

  void push_text(std::string_view bytes) {
    if (find_invalid_utf8(bytes)) fail("a text that is not UTF-8");
    push_new(bytes);
  }
  void push_bytes(std::string_view bytes) {
    machine_.budget_.charge(bytes.size());
    push_new(std::string(bytes));
  }
  // Python 2's str: a text if it is valid UTF-8.
  void push_old_string(std::string_view bytes) {
    find_invalid_utf8(bytes) ? push_bytes(bytes) : push_text(bytes);
  }

  bool text(unsigned char op) {
    switch (op) {
      case 'X': push_text(take(take_number(4))); return true;
      case 0x8C: push_text(take(take_number(1))); return true;
      case 0x8D: push_text(take(take_number(8))); return true;
      case 'U': push_old_string(take(take_number(1))); return true;
      case 'T': push_old_string(take(take_number(4))); return true;
      case 'C': push_bytes(take(take_number(1))); return true;
      case 'B': push_bytes(take(take_number(4))); return true;
      case 0x8E: push_bytes(take(take_number(8))); return true;
      default: return false;
    }
  }

  PickleList& list_on_top() {
    auto* list = top()->get_if<PickleList>();
    if (list == nullptr) fail("items are appended to something other than a list");
    return *list;
  }
  void append(const Nodes& items) {
    PickleList& list = list_on_top();
    machine_.budget_.charge(2 * sizeof(PickleNode*) * items.size());
    list.items.insert(list.items.end(), items.begin(), items.end());
  }
  void set_items(const Nodes& items) {
    auto* dict = top()->get_if<PickleDict>();
    if (dict == nullptr) fail("keys are set in something other than a dict");
    if (items.size() % 2 != 0) fail("a key without a value");
    machine_.budget_.charge(2 * sizeof(PickleNode*) * items.size());
    for (size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  }
  void push_tuple(Nodes items) {
    machine_.budget_.charge(sizeof(PickleNode*) * items.size());
    push_new(PickleTuple{std::move(items)});
  }

  bool container(unsigned char op) {
    switch (op) {
      case '(':
        marks_.push_back(stack_.size());
        machine_.budget_.charge(16);
        return true;
      case '0': pop(); return true;
      case '1': pop_to_mark(); return true;
      case '2': push(top()); return true;
      case ']': push_new(PickleList{}); return true;
      case 'a': append({pop()}); return true;
      case 'e': append(pop_to_mark()); return true;
      case ')': push_tuple({}); return true;
      case 't': push_tuple(pop_to_mark()); return true;
      case 0x85: push_tuple(pop_count(1)); return true;
      case 0x86: push_tuple(pop_count(2)); return true;
      case 0x87: push_tuple(pop_count(3)); return true;
      case '}': push_new(PickleDict{}); return true;
      case 's': set_items(pop_count(2)); return true;
      case 'u': set_items(pop_to_mark()); return true;
      case 'l': {
        const Nodes items = pop_to_mark();
        push_new(PickleList{});
        append(items);
        return true;
      }
      case 'd': {
        const Nodes items = pop_to_mark();
        push_new(PickleDict{});
        set_items(items);
        return true;
      }
      default: return false;
    }
  }

  void remember(uint64_t index) {
    machine_.budget_.charge(48);
    memo_.set(index, top());
  }
  void recall(uint64_t index) {
    PickleNode* node = memo_.find(index);
    if (node == nullptr) fail(fmt::format("memo entry {} was never set", index));
    push(node);
  }

  bool memo(unsigned char op) {
    switch (op) {
      case 'q': remember(take_number(1)); return true;
      case 'r': remember(take_number(4)); return true;
      case 0x94: remember(memo_.size()); return true;
      case 'h': recall(take_number(1)); return true;
      case 'j': recall(take_number(4)); return true;
      default: return false;
    }
  }

  void push_global(std::string_view module, std::string_view name) {
    const auto known = find_pickle_global(module, name);
    if (!known) {
      fail(
          fmt::format("names {}.{}, which may not be loaded: in other programs the file could run "
                      "code",
                      quote_for_message(module), quote_for_message(name)));
    }
    push_new(PickleGlobal{*known});
  }
  std::string_view take_line() {
    const size_t end = machine_.bytes_.find('\n', position_);
    if (end == std::string_view::npos || end - position_ > 1000) fail("a global without an end");
    const std::string_view line = take(end - position_);
    take(1);
    return line;
  }
  std::string_view pop_text() {
    const auto* value = pop()->get_if<std::string_view>();
    if (value == nullptr) fail("a global whose name is not a text");
    return *value;
  }

  void call(unsigned char op) {
    PickleCalls calls(machine_.place_, position_, machine_.budget_);
    switch (op) {
      case 'c': {
        const std::string_view module = take_line();
        push_global(module, take_line());
        return;
      }
      case 0x93: {
        const std::string_view name = pop_text();
        push_global(pop_text(), name);
        return;
      }
      case 'R':
      case 0x81: {  // REDUCE and NEWOBJ: for the allowed globals, both are a call
        PickleNode* arguments = pop();
        PickleNode* function = pop();
        push_new(calls.reduce(function, arguments));
        return;
      }
      case 'b': {
        PickleNode* state = pop();
        calls.build(top(), state);
        return;
      }
      case 'Q':
        push_new(calls.persistent(pop()));
        machine_.budget_.charge(sizeof(void*));
        machine_.storages_.push_back(top()->get_if<std::unique_ptr<PickleStorage>>()->get());
        return;
      default: fail(fmt::format("opcode 0x{:02x} is not allowed: data do not need it", op));
    }
  }

  PickleMachine& machine_;
  size_t position_;
  Nodes stack_;
  std::vector<size_t> marks_;
  Memo memo_;
};

PickleNode* PickleMachine::run(size_t& position) { return Run(*this, position).execute(position); }

}  // namespace spanforge
