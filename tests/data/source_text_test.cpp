#include "spanforge/data/source_text.h"

#include <unicode/ucnv.h>

#include "spanforge/base/utf8.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

// Encodes the text by ICU.
std::string encode(const std::string& utf8, const char* encoding) {
  UErrorCode status = U_ZERO_ERROR;
  std::string out(utf8.size() * 4 + 8, '\0');
  const int32_t size = ucnv_convert(encoding, "UTF-8", out.data(), static_cast<int32_t>(out.size()),
                                    utf8.data(), static_cast<int32_t>(utf8.size()), &status);
  EXPECT_TRUE(U_SUCCESS(status)) << encoding;
  out.resize(static_cast<size_t>(size));
  return out;
}

const std::string kChinese = "问题,正文,答案\n谁在唱歌？,小明在公园里唱歌。,小明\n";
const std::string kMixed = "id,text\n1,Ann 😀 sings, \"always\"\n";

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(SourceText, ReturnsUtf8AsAView) {
  for (const std::string& text : {kChinese, kMixed, std::string("plain"), std::string()}) {
    const SourceText source = read_source_text(text, "a.csv", "");
    EXPECT_EQ(source.text.data(), text.data());
    EXPECT_EQ(source.text, text);
    EXPECT_TRUE(source.converted.empty());
    EXPECT_EQ(source.encoding, "UTF-8");
    const std::string marked = "\xEF\xBB\xBF" + text;
    EXPECT_EQ(read_source_text(marked, "a.csv", "").text.data(), marked.data() + 3);
    EXPECT_EQ(read_source_text(marked, "a.csv", "GBK").text, text) << "the mark is proof";
  }
}

TEST(SourceText, RecognisesEncodingsByTheirMarks) {
  struct Row {
    const char *encoding, *mark;
  };
  for (const Row& row : {Row{"UTF-16LE", "\xFF\xFE"}, {"UTF-16BE", "\xFE\xFF"}}) {
    SCOPED_TRACE(row.encoding);
    const SourceText source = read_source_text(row.mark + encode(kMixed, row.encoding), "a", "");
    EXPECT_EQ(source.text, kMixed);
    EXPECT_EQ(source.encoding, row.encoding);
  }
  for (const char* encoding : {"UTF-32LE", "UTF-32BE"}) {
    SCOPED_TRACE(encoding);
    const SourceText source = read_source_text(encode("\xEF\xBB\xBF" + kMixed, encoding), "a", "");
    EXPECT_EQ(source.text, kMixed);
    EXPECT_EQ(source.encoding, encoding);
  }
}

TEST(SourceText, RecognisesUtf16WithoutMark) {
  for (const char* encoding : {"UTF-16LE", "UTF-16BE"}) {
    for (const std::string& text :
         {kMixed, kChinese, std::string("[{\"id\": \"一\"}]"), repeat("一", 50) + "\n"}) {
      SCOPED_TRACE(encoding + text);
      const SourceText source = read_source_text(encode(text, encoding), "a", "");
      EXPECT_EQ(source.text, text);
      EXPECT_EQ(source.encoding, encoding);
    }
  }
}

// The hardest case: a script whose bytes are nearly all ASCII.
TEST(SourceText, RecognisesUtf16OfOtherScriptsWithoutMark) {
  for (const std::string& text :
       {std::string("вопрос,ответ\nКто поёт?,Мальчик в парке\n"),
        std::string("คำถาม,คำตอบ\nใครร้องเพลง,เด็กชาย\n"),
        std::string("질문,답\n누가 노래하나?,소년\n"), std::string("प्रश्न,उत्तर\nकौन गाता है?,लड़का\n"),
        std::string("ερώτηση,απάντηση\nΠοιος τραγουδά;,το αγόρι\n"),
        std::string("質問,答え\nだれがうたう？,こども\n")}) {
    for (const char* encoding : {"UTF-16LE", "UTF-16BE"}) {
      SCOPED_TRACE(encoding + text);
      const SourceText source = read_source_text(encode(text, encoding), "a", "");
      EXPECT_EQ(source.text, text);
      EXPECT_EQ(source.encoding, encoding);
    }
  }
}

// A zero and an invalid byte are damage to a UTF-8 file, wherever they are.
TEST(SourceText, KeepsDamagedUtf8AsItIs) {
  for (const std::string& start : {std::string(), std::string(" ")}) {
    for (const std::string& end : {std::string(), std::string(" ")}) {
      const std::string text = start + repeat(kMixed + kChinese, 3) + "\x8B,\"a\"," +
                               std::string(1, '\0') + "\"b\n" + end;
      SCOPED_TRACE(text);
      const SourceText source = read_source_text(text, "a", "");
      EXPECT_EQ(source.text.data(), text.data());
      EXPECT_EQ(source.encoding, "UTF-8");
    }
  }
}

TEST(SourceText, RecognisesGb18030) {
  for (const std::string& text :
       {kChinese, std::string("{\"question\": \"谁在唱歌？\"}"), kMixed + kChinese,
        repeat("plain ASCII for a while\n", 1000) + kChinese}) {
    const SourceText source = read_source_text(encode(text, "GB18030"), "a", "");
    EXPECT_EQ(source.text, text);
    EXPECT_EQ(source.encoding, "GB18030");
  }
}

TEST(SourceText, TakesNoOtherEncodingForGb18030) {
  struct Row {
    const char *encoding, *text;
  };
  for (const Row& row :
       {Row{"windows-1252", "id,text\n1,Où est l'été, déjà? Ça coûte 5 €, là-bas à Besançon."},
        {"windows-1252", "Käse, Brötchen, Füße, Öl, ÄÖÜ"},
        {"Big5", "問題,正文,答案\n誰在唱歌？,小明在公園裡唱歌，他每天早上都來這裡練習。,小明\n"},
        {"Shift_JIS", "質問,本文\n誰が歌っていますか。,太郎は毎朝この公園で歌っています。\n"},
        {"EUC-JP", "質問,本文\n誰が歌っていますか。,太郎は毎朝この公園で歌っています。\n"},
        {"EUC-KR",
         "질문,본문\n누가 노래하고 있습니까?,민수는 매일 아침 이 공원에서 노래를 합니다. 그는 아주 "
         "행복합니다.\n"},
        {"KOI8-R", "Вопрос,Текст\nКто поёт?,Анна поёт каждый день в парке."},
        {"windows-1251", "Вопрос,Текст\nКто поёт?,Анна поёт каждый день в парке."}}) {
    SCOPED_TRACE(row.encoding);
    const std::string bytes = encode(row.text, row.encoding);
    const SourceText guessed = read_source_text(bytes, "a", "");
    EXPECT_EQ(guessed.text.data(), bytes.data()) << guessed.encoding << ": " << guessed.text;
    EXPECT_EQ(read_source_text(bytes, "a", row.encoding).text, row.text);
  }
}

// One invalid byte does not make it another encoding.
TEST(SourceText, LeavesBrokenUtf8ToTheParser) {
  for (size_t gone = 0; gone < kChinese.size(); ++gone) {
    std::string broken = repeat(kChinese, 3);
    broken[gone] = '\xFF';
    EXPECT_EQ(read_source_text(broken, "a", "").text, broken) << gone;
    broken = repeat(kChinese, 3);
    broken.erase(gone, 1);
    EXPECT_EQ(read_source_text(broken, "a", "").text, broken) << gone;
  }
}

TEST(SourceText, NamesTheByteThatDoesNotFit) {
  const std::string bytes = encode(kChinese, "GB18030") + "\xFFx";
  const Error bad =
      expect_error(ErrorCode::kBadData, [&] { read_source_text(bytes, "a.csv", "GB18030"); });
  EXPECT_EQ(bad.file(), "a.csv");
  EXPECT_NE(bad.reason().find("byte " + std::to_string(bytes.size() - 2)), std::string::npos)
      << bad.reason();
  EXPECT_NE(bad.reason().find("`encoding`"), std::string::npos);
  const Error utf8 =
      expect_error(ErrorCode::kBadData, [] { read_source_text("ab\xFF", "a.csv", "utf8"); });
  EXPECT_NE(utf8.reason().find("byte 2"), std::string::npos) << utf8.reason();
  EXPECT_EQ(
      expect_error(ErrorCode::kUsage, [] { read_source_text("a", "a", "klingon"); }).parameter(),
      "encoding");
}

TEST(SourceText, MovesWithItsText) {
  SourceText first = read_source_text(encode("short", "UTF-16LE"), "a", "UTF-16LE");
  const SourceText second = std::move(first);
  EXPECT_EQ(second.text, "short");
  EXPECT_EQ(second.text.data(), second.converted.data());
}

}  // namespace
}  // namespace spanforge
