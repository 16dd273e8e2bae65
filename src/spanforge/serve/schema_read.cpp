#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <variant>

#include <fmt/core.h>

#include "spanforge/base/json.h"
#include "spanforge/base/json_reader.h"
#include "spanforge/base/utf8.h"
#include "spanforge/serve/schema.h"

namespace spanforge::serve {
namespace {

using Kind = JsonReader::Kind;

// Reads one body. Throws the reader's Failure for an error; status_ and type_ are then the
// refusal's.
class BodyReader {
 public:
  BodyReader(std::string_view body, const Limits& limits)
      : in_(body, "body", ErrorCode::kBadData), limits_(limits) {}

  AnswerCall read_answer_call() {
    read_members([&](const std::string& key) { return read_answer_member(key); });
    require(seen_questions_, "questions is missing");
    resolve_contexts();
    check_texts();
    return std::move(call_);
  }

  AnswerCall read_hugging_face_call() {
    call_.hugging_face = true;
    bool inputs = false;
    // A body without "inputs" has its members itself.
    read_members([&](const std::string& key) {
      if (key == "inputs") {
        require(!seen_questions_ && !seen_contexts_, "the body has inputs and also its members");
        inputs = true;
        read_members([&](const std::string& inner) { return read_input(inner); });
        return true;
      }
      if (key == "parameters") return read_parameters();
      if (key == "options") return in_.skip_value(), true;  // about the cache of HF's own service
      return !inputs && read_input(key);
    });
    require(seen_questions_, inputs ? "inputs.question is missing" : "inputs is missing");
    require(seen_contexts_, inputs ? "inputs.context is missing" : "context is missing");
    pair_inputs();
    check_texts();
    return std::move(call_);
  }

  Refusal refusal(const JsonReader::Failure& failure) const {
    const std::string place = place_.value_or(in_.path());
    std::string message = failure.reason();
    if (!place.empty() && !message.starts_with(place)) message = place + ": " + message;
    return {status_, type_,
            fmt::format("{} (line {}, column {})", message, failure.line, failure.column), place};
  }

 private:
  struct Text {
    std::string text, place;
    size_t at = 0;
  };
  struct Question {
    Text question;
    std::string id;
    std::optional<size_t> number;  // index of a shared context
    Text context;
  };

  [[noreturn]] void fail(int status, const char* type, const std::string& what) {
    status_ = status;
    type_ = type;
    in_.fail(what);
  }
  [[noreturn]] void fail_at(const Text& text, int status, const char* type,
                            const std::string& what) {
    status_ = status;
    type_ = type;
    place_ = text.place;
    in_.fail_at(text.at, what);
  }
  // Fails, about the whole body, unless the condition holds.
  void require(bool condition, const std::string& what) {
    if (condition) return;
    place_ = "";
    in_.fail_at(0, what);
  }

  // Reads an object. `read` returns false for a key that it does not know.
  template <class Read>
  void read_members(const Read& read) {
    std::string key;
    for (in_.begin_object(); in_.next_key(key);) {
      if (!read(key)) in_.fail("is no member of this schema");
    }
    if (in_.path().empty()) in_.finish();
  }

  Text read_text() {
    Text text;
    text.text = in_.read_string();
    text.place = in_.path();
    text.at = in_.position();
    return text;
  }

  // Takes 1.0 as an integer.
  int32_t read_integer(int64_t least, int64_t most) {
    const JsonReader::Number number = in_.read_number();
    double value = 0;
    std::visit([&](auto n) { value = static_cast<double>(n); }, number);
    const std::string range = most == std::numeric_limits<int32_t>::max()
                                  ? fmt::format("at least {}", least)
                                  : fmt::format("{} to {}", least, most);
    if (value != std::floor(value)) in_.fail("must be a whole number");
    if (value < static_cast<double>(least) || value > static_cast<double>(most)) {
      fail(422, "validation", fmt::format("is {}; it must be {}", in_.last_text(), range));
    }
    return static_cast<int32_t>(value);
  }

  void read_decoder() {
    const std::string name = in_.read_string();
    call_.options.decoder = find_spelling<DecoderKind>(name);
    if (!call_.options.decoder) in_.fail("must be one of " + choices<DecoderKind>(", "));
  }

  void read_unit() {
    const std::string name = in_.read_string();
    const std::optional<OffsetUnit> unit = find_spelling<OffsetUnit>(name);
    if (!unit) in_.fail("must be one of " + choices<OffsetUnit>(", "));
    call_.unit = *unit;
  }

  // Reads an option's value. In Hugging Face's schema null (Python's None) means not given.
  template <class Read>
  void read_value(const Read& read) {
    call_.hugging_face&& in_.peek() == Kind::kNull ? in_.read_null() : read();
  }

  // Reads an option that both schemas have under the same name.
  bool read_option(const std::string& key) {
    constexpr int64_t kAny = std::numeric_limits<int32_t>::max();
    AskOptions& o = call_.options;
    if (key == "top_k") {
      read_value([&] { o.top_k = read_integer(1, limits_.top_k); });
    } else if (key == "decoder") {
      read_value([&] { read_decoder(); });
    } else if (key == "offset_unit") {
      read_value([&] { read_unit(); });
    } else if (key == "max_answer_length") {
      read_value([&] { o.max_answer_length = read_integer(1, kAny); });
    } else if (key == "handle_impossible_answer") {
      read_value([&] { o.null_answers = in_.read_bool(); });
    } else if (key == "align_to_words") {
      read_value([&] { o.align_to_words = in_.read_bool(); });
    } else if (key == "timeout_ms") {
      read_value([&] { call_.timeout = Milliseconds(read_integer(1, kAny)); });
    } else {
      return false;
    }
    return true;
  }

  bool read_answer_member(const std::string& key) {
    if (key == "model") return call_.model = in_.read_string(), true;
    if (key == "contexts") {
      read_list("texts", [&] { contexts_.push_back(read_text()); });
      return true;
    }
    if (key == "questions") {
      read_list("questions", [&] { read_question(); });
      if (questions_.empty()) in_.fail("holds no question");
      return seen_questions_ = true;
    }
    return read_option(key);
  }

  // Reads a list's items. Only counts those above the limit.
  template <class Read>
  void read_list(const char* items, const Read& read) {
    size_t count = 0;
    for (in_.begin_array(); in_.next_item();) {
      ++count > limits_.questions ? in_.skip_value() : read();
    }
    if (count <= limits_.questions) return;
    fail(413, "limit", fmt::format("has {} {}; {} are allowed", count, items, limits_.questions));
  }

  void read_question() {
    Question& asked = questions_.emplace_back();
    bool has_question = false, has_context = false;
    const std::string place = in_.path();
    read_members([&](const std::string& key) {
      if (key == "id") return asked.id = in_.read_string(), true;
      if (key == "question") {
        asked.question = read_text();
        return has_question = true;
      }
      if (key == "context" && in_.peek() == Kind::kNumber) {
        asked.number = static_cast<size_t>(read_integer(0, std::numeric_limits<int32_t>::max()));
        asked.context = {"", in_.path(), in_.position()};
        return has_context = true;
      }
      if (key == "context") {
        asked.context = read_text();
        return has_context = true;
      }
      return false;
    });
    for (const auto& [has, name] :
         {std::pair(has_question, "question"), std::pair(has_context, "context")}) {
      if (has) continue;
      place_ = place;
      in_.fail(fmt::format("has no {}", name));
    }
  }

  // "contexts" may come after the questions, so indexes are looked up last.
  void resolve_contexts() {
    size_t bytes = 0;
    for (const Question& asked : questions_) {
      if (!asked.number) continue;
      if (*asked.number >= contexts_.size()) {
        fail_at(asked.context, 422, "validation",
                fmt::format("index {}, but {} {} sent", *asked.number, contexts_.size(),
                            contexts_.size() == 1 ? "context was" : "contexts were"));
      }
      bytes += contexts_[*asked.number].text.size();
    }
    check_bytes(bytes);
    for (Question& asked : questions_) {
      if (asked.number) asked.context = contexts_[*asked.number];
    }
  }

  // A context is copied for each question about it.
  void check_bytes(size_t bytes) {
    if (bytes <= limits_.texts_bytes) return;
    fail_at(contexts_[0], 413, "limit",
            fmt::format("the shared texts, once for each question, have {} bytes; {} are allowed",
                        bytes, limits_.texts_bytes));
  }

  bool read_input(const std::string& key) {
    if (key == "question")
      return read_texts(hf_questions_, list_of_questions_), seen_questions_ = true;
    if (key == "context") return read_texts(contexts_, list_of_contexts_), seen_contexts_ = true;
    return false;
  }

  // Reads one text or a list of texts.
  void read_texts(std::vector<Text>& texts, bool& is_list) {
    if (in_.peek() != Kind::kArray) return texts.push_back(read_text());
    is_list = true;
    read_list("texts", [&] { texts.push_back(read_text()); });
    if (texts.empty()) in_.fail("is empty");
  }

  bool read_parameters() {
    if (in_.peek() == Kind::kNull) return in_.read_null(), true;
    bool has_top_k = false;
    read_members([&](const std::string& key) {
      constexpr int64_t kAny = std::numeric_limits<int32_t>::max();
      AskOptions& o = call_.options;
      if (key == "top_k" || key == "topk") {
        if (has_top_k) in_.fail("top_k is given twice");
        has_top_k = true;
        read_value([&] { o.top_k = read_integer(1, limits_.top_k); });
      } else if (key == "doc_stride") {
        read_value([&] { o.window_overlap = read_integer(0, kAny); });
      } else if (key == "max_answer_len") {
        read_value([&] { o.max_answer_length = read_integer(1, kAny); });
      } else if (key == "max_seq_len") {
        read_value([&] { o.max_seq_length = read_integer(1, kAny); });
      } else if (key == "max_question_len") {
        read_value([&] { read_integer(1, kAny); });  // ignored: questions are never truncated
      } else {
        return read_option(key);
      }
      return true;
    });
    return true;
  }

  // Gives each question its own context, or the one for all.
  void pair_inputs() {
    if (list_of_contexts_ && contexts_.size() != hf_questions_.size()) {
      fail_at(contexts_[0], 422, "validation",
              fmt::format("{} {}, but {} {}", hf_questions_.size(),
                          hf_questions_.size() == 1 ? "question" : "questions", contexts_.size(),
                          contexts_.size() == 1 ? "context" : "contexts"));
    }
    if (!list_of_contexts_) check_bytes(contexts_[0].text.size() * hf_questions_.size());
    for (size_t i = 0; i < hf_questions_.size(); ++i) {
      Question& asked = questions_.emplace_back();
      asked.question = std::move(hf_questions_[i]);
      asked.context = contexts_[list_of_contexts_ ? i : 0];
    }
  }

  void check_texts() {
    for (Question& asked : questions_) {
      if (asked.question.text.empty()) fail_at(asked.question, 422, "validation", "is empty");
      if (asked.context.text.empty()) fail_at(asked.context, 422, "validation", "is empty");
      call_.questions.push_back(
          {std::move(asked.question.text), std::move(asked.context.text), std::move(asked.id)});
      call_.question_places.push_back(std::move(asked.question.place));
      call_.context_places.push_back(std::move(asked.context.place));
    }
  }

  JsonReader in_;
  const Limits& limits_;
  AnswerCall call_;
  std::vector<Text> contexts_, hf_questions_;
  std::vector<Question> questions_;
  bool seen_questions_ = false, seen_contexts_ = false;
  bool list_of_questions_ = false, list_of_contexts_ = false;
  int status_ = 400;
  std::string type_ = "validation";
  std::optional<std::string> place_;
};

template <class Read>
CallOrRefusal parse(std::string_view body, const Limits& limits, const Read& read) {
  CallOrRefusal result;
  BodyReader reader(body, limits);
  try {
    result.call = read(reader);
  } catch (const JsonReader::SyntaxError& failure) {
    result.refusal = reader.refusal(failure);
    result.refusal->error_type = "json";
  } catch (const JsonReader::Failure& failure) {
    result.refusal = reader.refusal(failure);
  } catch (const Error&) {
    // The reader recognizes a web page or a Git LFS pointer, and gives advice about files.
    result.refusal = Refusal{400, "json", "the body must be a JSON object (line 1, column 1)"};
  }
  return result;
}

}  // namespace

CallOrRefusal parse_answer_call(std::string_view body, const Limits& limits) {
  return parse(body, limits, [](BodyReader& reader) { return reader.read_answer_call(); });
}

CallOrRefusal parse_hugging_face_call(std::string_view body, const Limits& limits) {
  return parse(body, limits, [](BodyReader& reader) { return reader.read_hugging_face_call(); });
}

}  // namespace spanforge::serve
