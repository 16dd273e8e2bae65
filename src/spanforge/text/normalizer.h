#pragma once
// What: normalisers of tokenizer.json, with the alignment rules of HF's NormalizedString: a kept or
//   replaced character has the range of its original; an inserted one has the range of the
//   character before it.
// Source: tokenizers 0.22, normalizers/{bert,unicode,strip,utils}.rs.
// Threads: const methods are concurrent.

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "spanforge/text/normalized_text.h"

namespace spanforge {

class JsonView;
struct PartContext;

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // Replaces `text` by its normalised form. `scratch` is working space.
  virtual void apply(NormalizedText& text, NormalizedText& scratch) const = 0;
};

struct BertNormalizerOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;  // null in a file is already replaced by the value of lowercase
  bool lowercase = true;
};

class BertNormalizer final : public Normalizer {
 public:
  explicit BertNormalizer(const BertNormalizerOptions& options);
  void apply(NormalizedText& text, NormalizedText& scratch) const override;
  const BertNormalizerOptions& options() const { return options_; }

 private:
  void put_char(char32_t c, CharSpan span, NormalizedText& out) const;
  void apply_step_by_step(NormalizedText& text, NormalizedText& scratch) const;
  BertNormalizerOptions options_;
  std::array<char32_t, 128> ascii_;  // what an ASCII character becomes; kDropped: nothing
};

class LowercaseNormalizer final : public Normalizer {
 public:
  void apply(NormalizedText& text, NormalizedText& scratch) const override;
};

class NfdNormalizer final : public Normalizer {
 public:
  void apply(NormalizedText& text, NormalizedText& scratch) const override;
};

class NfcNormalizer final : public Normalizer {
 public:
  void apply(NormalizedText& text, NormalizedText& scratch) const override;
  // true: NFC does not change the text. May be false for such a text, too.
  static bool leaves(std::string_view utf8);
};

class StripAccentsNormalizer final : public Normalizer {
 public:
  void apply(NormalizedText& text, NormalizedText& scratch) const override;
};

class SequenceNormalizer final : public Normalizer {
 public:
  explicit SequenceNormalizer(std::vector<std::unique_ptr<const Normalizer>> steps)
      : steps_(std::move(steps)) {}
  void apply(NormalizedText& text, NormalizedText& scratch) const override;

 private:
  std::vector<std::unique_ptr<const Normalizer>> steps_;
};

// Each from its value in a tokenizer.json (tokenizer_parts.h).
std::unique_ptr<const Normalizer> build_bert_normalizer(const JsonView&, const PartContext&);
std::unique_ptr<const Normalizer> build_lowercase_normalizer(const JsonView&, const PartContext&);
std::unique_ptr<const Normalizer> build_nfc_normalizer(const JsonView&, const PartContext&);
std::unique_ptr<const Normalizer> build_nfd_normalizer(const JsonView&, const PartContext&);
std::unique_ptr<const Normalizer> build_strip_accents_normalizer(const JsonView&,
                                                                 const PartContext&);

}  // namespace spanforge
