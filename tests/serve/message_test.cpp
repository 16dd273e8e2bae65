#include "spanforge/serve/message.h"

#include <gtest/gtest.h>

#include "spanforge/base/hash.h"
#include "spanforge/serve/framing.h"

namespace spanforge::serve {
namespace {

using State = RequestReader::State;

// The requests of a connection, as "METHOD target body", and its end.
struct Seen {
  std::vector<std::string> requests;
  int refused = 0;  // status
  bool operator==(const Seen&) const = default;
};

Seen read_pieces(const std::vector<std::string_view>& pieces, const Limits& limits = {}) {
  Seen seen;
  RequestReader reader(limits);
  for (const std::string_view piece : pieces) {
    reader.feed(piece);
    for (State state = reader.advance(); state != State::kNeedMore; state = reader.advance()) {
      if (state == State::kRefused) {
        seen.refused = reader.refusal().status;
        EXPECT_TRUE(reader.refusal().close);
        EXPECT_FALSE(reader.refusal().message.empty());
        return seen;
      }
      if (state == State::kHead) {
        reader.accept_body();
      } else {
        seen.requests.push_back(reader.head().method + " " + reader.head().target + " " +
                                reader.take_body());
        reader.next();
      }
    }
  }
  return seen;
}

struct Row {
  const char* name;
  std::string bytes;
  Seen seen;
};

const std::string kHost = "Host: localhost\r\n";

std::string many_fields(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += "X: " + std::to_string(i) + "\r\n";
  return out;
}

std::vector<Row> rows() {
  const std::string post = "POST / HTTP/1.1\r\n" + kHost;
  const auto get = [](const std::string& fields) { return "GET / HTTP/1.1\r\n" + fields + "\r\n"; };
  return {
      {"plain", get(kHost), {{"GET / "}, 0}},
      {"two, pipelined",
       get(kHost) + post + "Content-Length: 2\r\n\r\nab",
       {{"GET / ", "POST / ab"}, 0}},
      {"one empty line before it", "\r\n" + get(kHost), {{"GET / "}, 0}},
      {"two empty lines before it", "\r\n\r\n" + get(kHost), {{}, 400}},
      {"chunked",
       post + "Transfer-Encoding: Chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nA: b\r\n\r\n" +
           get(kHost),
       {{"POST / abc", "GET / "}, 0}},
      // Errors that Beast accepts.
      {"TE: xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {{}, 501}},
      {"TE: gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {{}, 501}},
      {"TE: identity", post + "Transfer-Encoding: identity\r\n\r\n", {{}, 501}},
      {"TE in HTTP/1.0",
       "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       {{}, 400}},
      {"two equal lengths", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", {{}, 400}},
      {"lengths in a list", post + "Content-Length: 3, 3\r\n\r\nabc", {{}, 400}},
      {"obs-fold", get(kHost + "A: b\r\n c\r\n"), {{}, 400}},
      {"obs-fold of the first field", "GET / HTTP/1.1\r\n " + kHost + "\r\n", {{}, 400}},
      {"no Host", get(""), {{}, 400}},
      {"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", {{"GET / "}, 0}},
      {"two Hosts", get(kHost + kHost), {{}, 400}},
      {"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" + kHost + kHost + "\r\n", {{}, 400}},
      {"empty Host", get("Host:\r\n"), {{}, 400}},
      {"Host with a user", get("Host: a@localhost\r\n"), {{}, 400}},
      {"endless chunk extension",
       post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(20'000, 'x'),
       {{}, 400}},
      {"endless trailer",
       post + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + std::string(20'000, 'x'),
       {{}, 400}},
      {"endless trailer of many lines",
       post + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + many_fields(3000),
       {{}, 400}},
      {"300 fields", get(kHost + many_fields(299)), {{}, 431}},
      {"100 fields", get(kHost + many_fields(99)), {{"GET / "}, 0}},
      {"101 fields", get(kHost + many_fields(100)), {{}, 431}},
      // Errors that Beast refuses.
      {"CL and TE",
       post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       {{}, 400}},
      {"TE and CL",
       post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
       {{}, 400}},
      {"differing lengths", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", {{}, 400}},
      {"signed length", post + "Content-Length: +3\r\n\r\nabc", {{}, 400}},
      {"overflowing length", post + "Content-Length: 18446744073709551617\r\n\r\n", {{}, 400}},
      {"TE twice",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       {{}, 400}},
      {"bad chunk size", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n", {{}, 400}},
      {"chunk size too large",
       post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
       {{}, 400}},
      {"space before the colon", get("Host : localhost\r\n"), {{}, 400}},
      {"NUL", get(kHost + std::string("A: b\0c\r\n", 8)), {{}, 400}},
      {"bare LF", "GET / HTTP/1.1\nHost: localhost\n\n", {{}, 400}},
      {"bare CR", get("A: b\rc\r\n" + kHost), {{}, 400}},
      {"HTTP/0.9", "GET /\r\n\r\n", {{}, 400}},
      {"HTTP/2.0", "GET / HTTP/2.0\r\n" + kHost + "\r\n", {{}, 505}},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {{}, 505}},
      // Limits.
      {"long target",
       "GET /" + std::string(3000, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n",
       {{}, 414}},
      {"endless target", "GET /" + std::string(9000, 'a'), {{}, 414}},
      {"long field", get(kHost + "A: " + std::string(9000, 'a') + "\r\n"), {{}, 431}},
      {"endless field", "GET / HTTP/1.1\r\nA: " + std::string(9000, 'a'), {{}, 431}},
      {"long body", post + "Content-Length: 3000000\r\n\r\n", {{}, 413}},
      // Targets.
      {"target of 2 KiB",
       "GET /" + std::string(2047, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n",
       {{"GET /" + std::string(2047, 'a') + " "}, 0}},
      {"absolute target",
       "GET http://localhost:8080/a?b HTTP/1.1\r\n" + kHost + "\r\n",
       {{"GET http://localhost:8080/a?b "}, 0}},
      {"other scheme", "GET ftp://localhost/ HTTP/1.1\r\n" + kHost + "\r\n", {{}, 400}},
      {"no path", "GET a HTTP/1.1\r\n" + kHost + "\r\n", {{}, 400}},
      {"fragment", "GET /#a HTTP/1.1\r\n" + kHost + "\r\n", {{}, 400}},
      {"other expectation", post + "Expect: gold\r\nContent-Length: 1\r\n\r\na", {{}, 417}},
  };
}

TEST(Message, EveryRowIsReadOrRefusedHoweverItsBytesAreCut) {
  ASSERT_FALSE(rows().empty());
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(read_pieces({row.bytes}), row.seen);
    const std::string_view bytes = row.bytes;
    const size_t step = bytes.size() > 1000 ? 97 : 1;
    for (size_t cut = 0; cut <= bytes.size(); cut += step) {
      ASSERT_EQ(read_pieces({bytes.substr(0, cut), bytes.substr(cut)}), row.seen)
          << "split at " << cut;
    }
    std::vector<std::string_view> single;
    for (size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
    EXPECT_EQ(read_pieces(single), row.seen) << "byte by byte";
  }
}

TEST(Message, ChunksTakeAtMostTwiceTheBodysLimit) {
  Limits limits;
  limits.body_bytes = 10'000;
  std::string bytes = "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 10; ++i) bytes += "1;" + std::string(4000, 'x') + "\r\na\r\n";
  EXPECT_EQ(read_pieces({bytes}, limits).refused, 413);
  std::string large = "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 11; ++i) large += "3e8\r\n" + std::string(1000, 'a') + "\r\n";
  EXPECT_EQ(read_pieces({large}, limits).refused, 413);
}

TEST(Message, TrailersAreNoFields) {
  RequestReader reader((Limits()));
  reader.feed("POST / HTTP/1.1\r\n" + kHost +
              "Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer x\r\n\r\n");
  ASSERT_EQ(reader.advance(), State::kHead);
  reader.accept_body();
  ASSERT_EQ(reader.advance(), State::kDone);
  EXPECT_EQ(reader.head().find("Authorization"), nullptr);
}

Head head_of(std::vector<std::pair<std::string, std::string>> fields, int minor_version = 1) {
  return {"POST", "/", minor_version, std::move(fields)};
}

TEST(Message, ConnectionsAreKeptAsTheVersionSays) {
  const Limits limits;
  EXPECT_TRUE(check_head(head_of({{"Host", "a"}}), limits).framing.keep_alive);
  EXPECT_FALSE(
      check_head(head_of({{"Host", "a"}, {"Connection", "x, Close"}}), limits).framing.keep_alive);
  EXPECT_FALSE(check_head(head_of({}, 0), limits).framing.keep_alive);
  EXPECT_TRUE(check_head(head_of({{"Connection", "keep-alive"}}, 0), limits).framing.keep_alive);
}

TEST(Message, ContinueIsSaidOnlyWhereABodyComesAndTheVersionKnowsIt) {
  const Limits limits;
  EXPECT_TRUE(
      check_head(head_of({{"Host", "a"}, {"Content-Length", "1"}, {"Expect", "100-Continue"}}),
                 limits)
          .framing.expects_continue);
  EXPECT_FALSE(check_head(head_of({{"Host", "a"}, {"Expect", "100-continue"}}), limits)
                   .framing.expects_continue);
  EXPECT_FALSE(check_head(head_of({{"Content-Length", "1"}, {"Expect", "100-continue"}}, 0), limits)
                   .framing.expects_continue);
}

int origin_status(const std::string& host, const std::string& origin, const Access& access) {
  Head head = head_of({{"Host", host}});
  if (!origin.empty()) head.fields.emplace_back("Origin", origin);
  const FramingOrRefusal checked = check_head(head, Limits());
  EXPECT_FALSE(checked.refusal);
  const auto refusal = check_origin(head, checked.framing, access);
  return refusal ? refusal->status : 200;
}

TEST(Message, ForeignHostsAndOriginsAreForbidden) {
  Access access;
  for (const char* host :
       {"localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.8.7", "[::1]:80"}) {
    EXPECT_EQ(origin_status(host, "", access), 200) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example", "127.evil.example",
                           "127.0.0.1.nip.io", "10.0.0.1", "[::2]"}) {
    EXPECT_EQ(origin_status(host, "", access), 403) << host;
  }
  access.hosts = {"qa.example.org"};
  EXPECT_EQ(origin_status("qa.example.org:443", "", access), 200);
  EXPECT_EQ(origin_status("localhost:80", "http://localhost:80", access), 200);
  EXPECT_EQ(origin_status("localhost:80", "http://localhost:81", access), 403);
  EXPECT_EQ(origin_status("localhost:80", "null", access), 403);
  EXPECT_EQ(origin_status("localhost:80", "https://app.example.org", access), 403);
  access.cors_origins = {"https://app.example.org"};
  EXPECT_EQ(origin_status("localhost:80", "https://app.example.org", access), 200);
}

TEST(Message, ATokenMustBeRight) {
  Access access;
  EXPECT_FALSE(check_token(head_of({}), access));
  access.token_sha256 = sha256_hex("secret");
  EXPECT_FALSE(check_token(head_of({{"Authorization", "bearer secret"}}), access));
  for (const char* value :
       {"Bearer secre", "Bearer secret2", "Bearer ", "Bearer", "secret", "Basic secret"}) {
    const auto refusal = check_token(head_of({{"Authorization", value}}), access);
    ASSERT_TRUE(refusal) << value;
    EXPECT_EQ(refusal->status, 401);
    EXPECT_EQ(refusal->fields.at(0).first, "WWW-Authenticate");
  }
  EXPECT_TRUE(check_token(
      head_of({{"Authorization", "Bearer secret"}, {"Authorization", "Bearer x"}}), access));
}

TEST(Message, BodiesArePlainJson) {
  EXPECT_FALSE(check_content_type(head_of({{"Content-Type", "application/json"}})));
  EXPECT_FALSE(check_content_type(head_of({{"content-type", "Application/JSON; charset=utf-8"}})));
  for (const auto& fields : std::vector<std::vector<std::pair<std::string, std::string>>>{
           {},
           {{"Content-Type", "text/plain"}},
           {{"Content-Type", "application/jsonx"}},
           {{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}},
           {{"Content-Type", "application/json"}, {"Content-Type", "application/json"}}}) {
    const auto refusal = check_content_type(head_of(fields));
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->status, 415);
  }
}

TEST(Message, PercentEscapesAreDecoded) {
  EXPECT_EQ(decode_percent("a%2Fb%20c"), "a/b c");
  EXPECT_EQ(decode_percent("%zz%4"), "%zz%4");
  EXPECT_EQ(decode_percent("%41"), "A");
}

TEST(Message, DatesAreOfHttp) { EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"); }

}  // namespace
}  // namespace spanforge::serve
