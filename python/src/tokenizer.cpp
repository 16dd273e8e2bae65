#include "spanforge/text/tokenizer.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "call.h"
#include "convert.h"
#include "load_options.h"
#include "spanforge/base/threads.h"

namespace nb = nanobind;

namespace spanforge::python {
namespace {

// A view of the encoding's own memory, which lives as long as the array.
template <class T>
auto view(nb::handle self, const std::vector<T>& values) {
  return nb::ndarray<nb::numpy, const T, nb::ndim<1>>(values.data(), {values.size()}, self);
}

static_assert(sizeof(CharSpan) == 2 * sizeof(int32_t));
auto view_spans(nb::handle self, const std::vector<CharSpan>& spans) {
  return nb::ndarray<nb::numpy, const int32_t, nb::ndim<2>>(
      spans.empty() ? nullptr : &spans.front().start, {spans.size(), 2}, self);
}

nb::list tokens(const Encoding& encoding) {
  nb::list list;
  for (const std::string& token : encoding.tokens) list.append(token);
  return list;
}

nb::list overflowing(const Encoding& encoding) {
  nb::list list;
  for (const Encoding& window : encoding.overflowing) list.append(nb::cast(window));
  return list;
}

// truncation: "" none. pad: -1 not, 0 to the longest, else to so many tokens.
EncodeOptions encode_options(bool add_special_tokens, const std::string& truncation,
                             int32_t max_length, int32_t stride, int32_t pad, int32_t multiple_of,
                             bool pad_left) {
  EncodeOptions options;
  options.add_special_tokens = add_special_tokens;
  if (!truncation.empty()) {
    const auto strategy = find_spelling<TruncationStrategy>(truncation);
    if (!strategy) {
      throw Error(ErrorCode::kUsage, {.parameter = "truncation"},
                  unknown_spelling<TruncationStrategy>(truncation));
    }
    options.truncation = Truncation{max_length, stride, *strategy};
  }
  if (pad >= 0) {
    options.padding = Padding{pad > 0 ? std::optional(pad) : std::nullopt, multiple_of,
                              pad_left ? PaddingSide::kLeft : PaddingSide::kRight};
  }
  return options;
}

Tokenizer* load_tokenizer(const std::string& model) {
  const Call call;
  return new Tokenizer(Tokenizer::from_directory(find_model(model, false).tokenizer()));
}

// pairs: as many as texts, or none. Encodes on `threads` threads.
nb::list encode(const Tokenizer& tokenizer, const nb::list& texts, const nb::list& pairs,
                bool add_special_tokens, const std::string& truncation, int32_t max_length,
                int32_t stride, int32_t pad, int32_t multiple_of, bool pad_left, int threads) {
  std::vector<std::string> first;
  std::vector<std::pair<std::string, std::string>> both;
  const size_t count = nb::len(texts);
  for (size_t i = 0; i < count; ++i) {
    if (nb::len(pairs) == 0) {
      first.push_back(text_of(texts[i]));
    } else {
      both.emplace_back(text_of(texts[i]), text_of(pairs[i]));
    }
  }
  std::vector<Encoding> encodings;
  {
    const Call call;
    const ThreadScope scope(threads);
    const EncodeOptions options = encode_options(add_special_tokens, truncation, max_length, stride,
                                                 pad, multiple_of, pad_left);
    encodings = both.empty() ? tokenizer.encode_batch(first, options)
                             : tokenizer.encode_pair_batch(both, options);
  }
  nb::list list;
  for (Encoding& encoding : encodings) list.append(nb::cast(std::move(encoding)));
  return list;
}

nb::dict special_ids(const Tokenizer& tokenizer) {
  const SpecialTokens& ids = tokenizer.special_tokens();
  nb::dict dict;
  for (const auto& [name, id] :
       {std::pair("bos", ids.bos), std::pair("eos", ids.eos), std::pair("unk", ids.unk),
        std::pair("sep", ids.sep), std::pair("pad", ids.pad), std::pair("cls", ids.cls),
        std::pair("mask", ids.mask)}) {
    if (id >= 0) dict[name] = id;
  }
  return dict;
}

}  // namespace

void bind_tokenizer(nb::module_& module) {
  nb::class_<Encoding>(module, "Encoding")
      .def("ids", [](nb::handle self) { return view(self, nb::cast<const Encoding&>(self).ids); })
      .def("type_ids",
           [](nb::handle self) { return view(self, nb::cast<const Encoding&>(self).type_ids); })
      .def("word_ids",
           [](nb::handle self) { return view(self, nb::cast<const Encoding&>(self).word_ids); })
      .def("sequence_ids",
           [](nb::handle self) { return view(self, nb::cast<const Encoding&>(self).sequence_ids); })
      .def("attention_mask",
           [](nb::handle self) {
             return view(self, nb::cast<const Encoding&>(self).attention_mask);
           })
      .def("special_tokens_mask",
           [](nb::handle self) {
             return view(self, nb::cast<const Encoding&>(self).special_tokens_mask);
           })
      .def(
          "offsets",
          [](nb::handle self) { return view_spans(self, nb::cast<const Encoding&>(self).offsets); })
      .def("tokens", tokens)
      .def("overflowing", overflowing)
      .def("__len__", [](const Encoding& encoding) { return encoding.ids.size(); });
  nb::class_<Tokenizer>(module, "Tokenizer")
      .def_static("load", load_tokenizer, nb::arg("model"))
      .def("encode", encode, nb::arg("texts"), nb::arg("pairs"), nb::arg("add_special_tokens"),
           nb::arg("truncation"), nb::arg("max_length"), nb::arg("stride"), nb::arg("pad"),
           nb::arg("multiple_of"), nb::arg("pad_left"), nb::arg("threads"))
      .def(
          "decode",
          [](const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special_tokens,
             std::optional<bool> clean_up) {
            const Call call;
            return tokenizer.decode(ids, skip_special_tokens, clean_up);
          },
          nb::arg("ids"), nb::arg("skip_special_tokens"), nb::arg("clean_up").none())
      .def("vocabulary_size", &Tokenizer::vocabulary_size)
      .def("model_max_length", &Tokenizer::model_max_length)
      .def(
          "token_to_id",
          [](const Tokenizer& tokenizer, nb::str token) {
            return tokenizer.token_to_id(text_of(token));
          },
          nb::arg("token"))
      .def(
          "id_to_token",
          [](const Tokenizer& tokenizer, int32_t id) {
            return std::string(tokenizer.id_to_token(id));
          },
          nb::arg("id"))
      .def("special_ids", special_ids);
}

}  // namespace spanforge::python
