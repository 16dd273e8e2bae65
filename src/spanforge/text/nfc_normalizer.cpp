// NFC with the alignment of the crate unicode-normalization-alignments 0.1.12, recompose.rs, which
// tokenizers uses.
#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "spanforge/text/decomposer.h"
#include "spanforge/text/normalizer.h"
#include "spanforge/text/tokenizer_parts.h"
#include "spanforge/text/unicode.h"
#include "spanforge/text/utf8_cursor.h"

namespace spanforge {
namespace {

// Composes the characters of a decomposition. change: the crate's count of characters gained, minus
// those lost. A composed character takes the span of its first part.
class Composer {
 public:
  Composer(const NormalizedText& in, NormalizedText& out) : in_(in), out_(out) {}

  void add(char32_t c, int32_t change) {
    const uint8_t combining_class = unicode::record(c).combining_class;
    if (!has_first_) {
      if (combining_class != 0) return emit({c, change});
      first_ = {c, change};
      has_first_ = true;
      return;
    }
    const bool blocked = !marks_.empty() && last_class_ >= combining_class;
    if (const char32_t composed = blocked ? 0 : unicode::compose(first_.c, c); composed != 0) {
      first_ = {composed, first_.change + change - 1};
      return;
    }
    if (combining_class != 0) {
      marks_.push_back({c, change});
      last_class_ = combining_class;
      return;
    }
    flush();
    first_ = {c, change};
    has_first_ = true;
  }
  void flush() {
    if (has_first_) emit(first_);
    for (const Char& mark : marks_) emit(mark);
    marks_.clear();
    has_first_ = false;
  }

 private:
  struct Char {
    char32_t c;
    int32_t change;
  };
  void emit(const Char& character) {
    const bool is_inserted = character.change > 0;
    const int32_t from = is_inserted ? std::max(taken_ - 1, 0) : taken_;
    out_.push(character.c, in_.spans[static_cast<size_t>(from)]);
    if (!is_inserted) taken_ += 1 - character.change;
  }

  const NormalizedText& in_;
  NormalizedText& out_;
  Char first_{};
  bool has_first_ = false;
  std::vector<Char> marks_;  // marks that do not compose with first_
  uint8_t last_class_ = 0;   // of the last of marks_
  int32_t taken_ = 0;        // original characters used so far
};

bool may_change(char32_t c) { return unicode::has(c, unicode::kComposes); }

}  // namespace

char32_t unicode::compose(char32_t first, char32_t second) {
  constexpr char32_t kBase = 0xAC00, kL = 0x1100, kV = 0x1161, kT = 0x11A7;
  if (first >= kL && first < kL + 19 && second >= kV && second < kV + 21) {
    return kBase + ((first - kL) * 21 + (second - kV)) * 28;
  }
  const bool has_no_tail = first >= kBase && first < kBase + 11172 && (first - kBase) % 28 == 0;
  if (has_no_tail && second > kT && second < kT + 28) return first + (second - kT);
  const Composition* const end = kCompositions + kCompositionCount;
  const Composition* const found =
      std::lower_bound(kCompositions, end, std::pair(first, second),
                       [](const Composition& one, const std::pair<char32_t, char32_t>& wanted) {
                         return std::pair(one.first, one.second) < wanted;
                       });
  const bool is_it = found != end && found->first == first && found->second == second;
  return is_it ? found->composed : 0;
}

bool NfcNormalizer::leaves(std::string_view utf8) {
  const auto* p = reinterpret_cast<const unsigned char*>(utf8.data());
  const auto* const end = p + utf8.size();
  while (p < end) {
    if (may_change(take_code_point(p))) return false;
  }
  return true;
}

void NfcNormalizer::apply(NormalizedText& text, NormalizedText& scratch) const {
  if (std::none_of(text.chars.begin(), text.chars.end(), may_change)) return;
  scratch.clear();
  Composer composer(text, scratch);
  decompose_in_order(text.chars, [&](char32_t c, bool first) { composer.add(c, first ? 0 : 1); });
  composer.flush();
  std::swap(text.chars, scratch.chars);
  std::swap(text.spans, scratch.spans);
  scratch.clear();
}

std::unique_ptr<const Normalizer> build_nfc_normalizer(const JsonView&, const PartContext&) {
  return std::make_unique<NfcNormalizer>();
}

}  // namespace spanforge
