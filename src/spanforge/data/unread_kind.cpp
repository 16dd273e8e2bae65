#include "spanforge/data/unread_kind.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/foreign_content.h"

namespace spanforge {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSheet = "save the sheet as CSV (UTF-8) and give that";

struct Signature {
  std::string_view bytes, kind, advice;
};

// The first bytes of a kind of file.
constexpr std::array kSignatures = {
    Signature{"PAR1"sv, "a Parquet file",
              "write it as JSON lines first, in Python: "
              "datasets.Dataset.from_parquet(FILE).to_json(\"data.jsonl\")"},
    Signature{"ARROW1\0\0"sv, "an Arrow file (Feather)",
              "write it as JSON lines first, in Python: "
              "pandas.read_feather(FILE).to_json(\"data.jsonl\", orient=\"records\", lines=True)"},
    Signature{"FEA1"sv, "a Feather file",
              "write it as JSON lines first, in Python: "
              "pandas.read_feather(FILE).to_json(\"data.jsonl\", orient=\"records\", lines=True)"},
    Signature{"\xFF\xFF\xFF\xFF"sv, "an Arrow stream, as Hugging Face's datasets keep it",
              "write it as JSON lines first, in Python: "
              "datasets.Dataset.from_file(FILE).to_json(\"data.jsonl\")"},
    Signature{
        "SQLite format 3\0"sv, "an SQLite database",
        "export the table first: sqlite3 -header -csv FILE \"select * from TABLE\" > data.csv"},
    Signature{"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, "an old Excel or Word file (.xls, .doc)",
              kSheet},
    Signature{"\x1F\x8B"sv, "a gzip archive", "unpack it first: gunzip FILE"},
    Signature{"\xFD"
              "7zXZ\0"sv,
              "an xz archive", "unpack it first: xz -d FILE"},
    Signature{"BZh"sv, "a bzip2 archive", "unpack it first: bzip2 -d FILE"},
    Signature{"\x28\xB5\x2F\xFD"sv, "a zstd archive", "unpack it first: zstd -d FILE"},
    Signature{"7z\xBC\xAF\x27\x1C"sv, "a 7z archive", "unpack it first: 7z x FILE"},
    Signature{"Rar!\x1A\x07"sv, "a RAR archive", "unpack it first"},
    Signature{"%PDF-"sv, "a PDF",
              "it holds no questions; write them as JSON or CSV together with its text"},
    Signature{"{\\rtf"sv, "a rich text document (RTF)",
              "it holds no questions; write them as JSON or CSV together with its text"},
    Signature{"\x93NUMPY"sv, "a NumPy array", "write its rows as JSON lines first"},
    Signature{"\x89HDF\r\n\x1A\n"sv, "an HDF5 file", "write its rows as JSON lines first"},
    Signature{"Obj\x01"sv, "an Avro file", "write its rows as JSON lines first"},
    Signature{"\x89PNG"sv, "a picture", "write questions and text as JSON or CSV"},
    Signature{"\xFF\xD8\xFF"sv, "a picture", "write questions and text as JSON or CSV"},
};

// The kind of a zip archive, by the names of its first members.
std::string zip_kind(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, size_t{64} << 10);
  const auto has = [&](std::string_view name) { return head.find(name) != std::string_view::npos; };
  const auto kind = [](std::string_view what, std::string_view advice) {
    return fmt::format("is {}; {}", what, advice);
  };
  if (has("xl/")) return kind("an Excel file (.xlsx)", kSheet);
  if (has("mimetypeapplication/vnd.oasis.opendocument.spreadsheet")) {
    return kind("an OpenDocument spreadsheet (.ods)", kSheet);
  }
  constexpr std::string_view kText =
      "it holds no questions; write them as JSON or CSV together with its text";
  if (has("word/")) return kind("a Word document (.docx)", kText);
  if (has("mimetypeapplication/vnd.oasis.opendocument")) {
    return kind("an OpenDocument text (.odt)", kText);
  }
  if (has("[Content_Types].xml")) return kind("an Office file", kSheet);
  if (has("data.pkl")) {
    return kind("a file of torch.save", "write its rows as JSON lines first");
  }
  if (has(".npy")) return kind("a NumPy archive (.npz)", "write its rows as JSON lines first");
  return kind("a zip archive", "unpack it first: unzip FILE");
}

// Whether the header of a tar archive's first member is there. A text may hold "ustar" at that
// place, but not also the header's checksum: the sum of its 512 bytes, with spaces for the checksum
// itself, in octal digits.
bool is_tar(std::string_view bytes) {
  constexpr size_t kHeader = 512, kSumAt = 148, kSumSize = 8, kWordAt = 257;
  const std::string_view header = bytes.substr(0, kHeader);
  if (header.size() < kHeader || !header.substr(kWordAt).starts_with("ustar")) return false;
  uint32_t sum = kSumSize * ' ';
  for (size_t i = 0; i < kHeader; ++i) {
    if (i < kSumAt || i >= kSumAt + kSumSize) sum += static_cast<uint8_t>(header[i]);
  }
  std::string_view written = header.substr(kSumAt, kSumSize);
  written.remove_prefix(std::min(written.find_first_not_of(' '), written.size()));
  uint32_t stated = 0;
  const auto read = std::from_chars(written.data(), written.data() + written.size(), stated, 8);
  return read.ec == std::errc() && stated == sum;
}

// Python's pickle, protocol 2 and later: PROTO n, and STOP at the end.
bool is_pickle(std::string_view bytes) {
  return bytes.size() > 3 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5 &&
         bytes.ends_with('.');
}

// [{'a': or {'a': , also after line ends.
bool is_python_list(std::string_view text) {
  std::string head;
  for (const char c : text.substr(0, 256)) {
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') head += c;
  }
  return head.starts_with("[{'") || head.starts_with("{'") || head.starts_with("[['") ||
         head.starts_with("['") || head.starts_with("[('");
}

}  // namespace

std::optional<std::string> unread_kind(std::string_view bytes) {
  for (const auto& [begin, kind, advice] : kSignatures) {
    if (bytes.starts_with(begin)) return fmt::format("is {}; {}", kind, advice);
  }
  if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06")) return zip_kind(bytes);
  if (is_tar(bytes)) return "is a tar archive; unpack it first: tar xf FILE";
  if (is_pickle(bytes)) {
    return "is a Python pickle, which could run any code when it is read; write its rows as JSON "
           "lines where it was made";
  }
  return std::nullopt;
}

std::optional<std::string> unread_text_kind(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return std::nullopt;
  text.remove_prefix(first);
  if (const auto content = find_foreign_content(text)) {
    return fmt::format("is {}, {}", foreign_content_name(*content),
                       foreign_content_advice(*content));
  }
  if (starts_with_any_case(text, "<?xml") ||
      (text.starts_with("<") && text.substr(0, 4096).find("</") != std::string_view::npos)) {
    return "is XML, which is not read; write its questions as JSON or CSV";
  }
  if (is_python_list(text)) {
    return "was written by Python's print, not as JSON; write it with json.dump(rows, "
           "open(\"data.json\", \"w\"))";
  }
  if (text.starts_with("%YAML") || text.starts_with("---\n") || text.starts_with("---\r\n") ||
      text.starts_with("- question:") || text.starts_with("- id:") ||
      text.starts_with("- context:")) {
    return "is YAML, which is not read; write its rows as JSON or CSV";
  }
  return std::nullopt;
}

void refuse_unread_directory(const std::filesystem::path& path) {
  std::error_code ignored;  // a directory that cannot be read is not one of these
  const auto holds = [&](const char* name) {
    return std::filesystem::exists(path / name, ignored);
  };
  if (!std::filesystem::is_directory(path, ignored)) return;
  constexpr std::string_view kKind =
      "is a directory that Hugging Face's save_to_disk wrote; write each split as JSON lines "
      "first, "
      "in Python: ";
  if (holds("dataset_dict.json")) {
    throw Error(
        ErrorCode::kBadData, path.string(),
        fmt::format("{}datasets.load_from_disk(DIR)[\"train\"].to_json(\"train.jsonl\")", kKind));
  }
  if (holds("dataset_info.json") && holds("state.json")) {
    throw Error(ErrorCode::kBadData, path.string(),
                fmt::format("{}datasets.load_from_disk(DIR).to_json(\"data.jsonl\")", kKind));
  }
}

}  // namespace spanforge
