#include "spanforge/text/normalizer.h"

#include <algorithm>
#include <utility>

#include "spanforge/text/decomposer.h"
#include "spanforge/text/tokenizer_parts.h"
#include "spanforge/text/unicode.h"

namespace spanforge {
namespace {

constexpr char32_t kDropped = 0xFFFFFFFF;

// Exchanges `scratch`, the new content, and `text`, whose storage is reused.
void take(NormalizedText& text, NormalizedText& scratch) {
  std::swap(text.chars, scratch.chars);
  std::swap(text.spans, scratch.spans);
  scratch.clear();
}

template <class Keep>
void filter(NormalizedText& text, Keep&& keep) {
  int32_t kept = 0;
  for (int32_t i = 0; i < text.size(); ++i) {
    if (!keep(text.chars[i])) continue;
    text.chars[kept] = text.chars[i];
    text.spans[kept] = text.spans[i];
    ++kept;
  }
  text.chars.resize(kept);
  text.spans.resize(kept);
}

}  // namespace

BertNormalizer::BertNormalizer(const BertNormalizerOptions& options) : options_(options) {
  for (char32_t c = 0; c < ascii_.size(); ++c) {
    ascii_[c] = c;
    if (options.clean_text && unicode::has(c, unicode::kRemoved)) {
      ascii_[c] = kDropped;
    } else if (options.clean_text && unicode::has(c, unicode::kWhitespace)) {
      ascii_[c] = ' ';
    } else if (options.lowercase) {
      unicode::lowercase(c, [&](char32_t low, int) { ascii_[c] = low; });
    }
  }
}

// Strips accents and changes case of one character, if that does not depend on its neighbours.
void BertNormalizer::put_char(char32_t c, CharSpan span, NormalizedText& out) const {
  const auto lower = [&](char32_t d, int) {
    if (!options_.lowercase) {
      out.push(d, span);
      return;
    }
    unicode::lowercase(d, [&](char32_t low, int) { out.push(low, span); });
  };
  if (!options_.strip_accents) {
    lower(c, 0);
    return;
  }
  unicode::decompose(c, [&](char32_t d, int index) {
    if (!unicode::has(d, unicode::kNonspacing)) lower(d, index);
  });
}

void BertNormalizer::apply(NormalizedText& text, NormalizedText& scratch) const {
  scratch.clear();
  for (int32_t i = 0; i < text.size(); ++i) {
    const char32_t c = text.chars[i];
    const CharSpan span = text.spans[i];
    if (c < ascii_.size()) {
      if (ascii_[c] != kDropped) scratch.push(ascii_[c], span);
      continue;
    }
    const unicode::CharRecord& r = unicode::record(c);
    if ((r.flags & unicode::kReorders) && options_.strip_accents) {
      apply_step_by_step(text, scratch);
      return;
    }
    if (options_.clean_text && (r.flags & unicode::kRemoved)) continue;
    if (options_.clean_text && (r.flags & unicode::kWhitespace)) {
      scratch.push(' ', span);
    } else if (options_.handle_chinese_chars && (r.flags & unicode::kCjk)) {
      scratch.push(' ', span);
      put_char(c, span, scratch);
      scratch.push(' ', span);
    } else {
      put_char(c, span, scratch);
    }
  }
  take(text, scratch);
}

// The same with one pass per step, for the few texts with a mark that stripping keeps and whose
// place depends on its neighbours.
void BertNormalizer::apply_step_by_step(NormalizedText& text, NormalizedText& scratch) const {
  if (options_.clean_text) {
    filter(text, [](char32_t c) { return !unicode::has(c, unicode::kRemoved); });
    for (char32_t& c : text.chars) {
      if (unicode::has(c, unicode::kWhitespace)) c = ' ';
    }
  }
  if (options_.handle_chinese_chars) {
    scratch.clear();
    for (int32_t i = 0; i < text.size(); ++i) {
      const bool cjk = unicode::has(text.chars[i], unicode::kCjk);
      if (cjk) scratch.push(' ', text.spans[i]);
      scratch.push(text.chars[i], text.spans[i]);
      if (cjk) scratch.push(' ', text.spans[i]);
    }
    take(text, scratch);
  }
  if (options_.strip_accents) {
    NfdNormalizer().apply(text, scratch);
    filter(text, [](char32_t c) { return !unicode::has(c, unicode::kNonspacing); });
  }
  if (options_.lowercase) LowercaseNormalizer().apply(text, scratch);
}

void LowercaseNormalizer::apply(NormalizedText& text, NormalizedText& scratch) const {
  scratch.clear();
  for (int32_t i = 0; i < text.size(); ++i) {
    unicode::lowercase(text.chars[i], [&](char32_t low, int) { scratch.push(low, text.spans[i]); });
  }
  take(text, scratch);
}

void NfdNormalizer::apply(NormalizedText& text, NormalizedText& scratch) const {
  // Spans follow HF: the k-th first character of a decomposition takes the k-th original span, even
  // if ordering moved it. A later character of a decomposition takes the span before that.
  scratch.clear();
  int32_t taken = 0;  // original characters used so far
  decompose_in_order(text.chars, [&](char32_t c, bool first) {
    if (first) ++taken;
    scratch.push(c, text.spans[static_cast<size_t>(std::max(taken - 1, 0))]);
  });
  take(text, scratch);
}

void StripAccentsNormalizer::apply(NormalizedText& text, NormalizedText&) const {
  filter(text, [](char32_t c) { return !unicode::has(c, unicode::kMark); });
}

void SequenceNormalizer::apply(NormalizedText& text, NormalizedText& scratch) const {
  for (const auto& step : steps_) step->apply(text, scratch);
}

std::unique_ptr<const Normalizer> build_bert_normalizer(const JsonView& json,
                                                        const PartContext& context) {
  const ConfigOverrides& over = context.overrides;
  BertNormalizerOptions options;
  options.clean_text = json.at("clean_text").boolean();
  options.handle_chinese_chars =
      over.handle_chinese_chars.value_or(json.at("handle_chinese_chars").boolean());
  options.lowercase = over.lowercase.value_or(json.at("lowercase").boolean());
  std::optional<bool> strip_accents;
  if (const JsonView stated = json.at("strip_accents"); !stated.is_null()) {
    strip_accents = stated.boolean();
  }
  if (over.strip_accents) strip_accents = *over.strip_accents;
  options.strip_accents = strip_accents.value_or(options.lowercase);
  return std::make_unique<BertNormalizer>(options);
}

std::unique_ptr<const Normalizer> build_lowercase_normalizer(const JsonView&, const PartContext&) {
  return std::make_unique<LowercaseNormalizer>();
}
std::unique_ptr<const Normalizer> build_nfd_normalizer(const JsonView&, const PartContext&) {
  return std::make_unique<NfdNormalizer>();
}
std::unique_ptr<const Normalizer> build_strip_accents_normalizer(const JsonView&,
                                                                 const PartContext&) {
  return std::make_unique<StripAccentsNormalizer>();
}

}  // namespace spanforge
