"""Fails if a test may pass without an assertion: all of its assertions are in branches that may not be
taken (if, catch, switch) or in loops that may be empty.

A loop counts as run if it goes over a list in the test's file, or up to a number or constant.
A call of a function or lambda of the test's file or of tests/support that asserts counts as an assertion.

Usage: check_assertions.py TESTS_DIRECTORY | --self-test
"""
import pathlib
import re
import sys
import tempfile

ASSERTION = re.compile(r"\b(?:(?:EXPECT|ASSERT)_\w+|ADD_FAILURE\w*|FAIL|SUCCEED|GTEST_SKIP)\s*\(")
TEST = re.compile(r"\b(?:TYPED_)?TEST(?:_F|_P)?\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)\s*\{")
LITERALS = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/', re.S)
PAIRS = {"(": ")", "{": "}", "[": "]"}


def strip(text):
    """The code with empty strings and without comments, as many lines as before."""
    def blank(match):
        lines = "\n" * match.group().count("\n")
        return lines if match.group().startswith("/") else '""' + lines
    return LITERALS.sub(blank, text)


def close(text, at):
    """The place where the bracket at `at` closes."""
    depth = 0
    for i in range(at, len(text)):
        depth += {**dict.fromkeys(PAIRS, 1), **dict.fromkeys(PAIRS.values(), -1)}.get(text[i], 0)
        if depth == 0:
            return i
    raise ValueError("a bracket does not close")


def statement(text, at):
    """(keyword, head, body, end) of the statement at `at`; body is a statement's or block's text."""
    if text[at] == "{":
        end = close(text, at)
        return "block", "", text[at + 1:end], end + 1
    if word := re.match(r"(if|for|while|switch|catch)\b(?:\s*constexpr\b)?\s*\(", text[at:]):
        open_at = at + word.end() - 1
        behind = close(text, open_at)
        start = skip(text, behind + 1)
        return word.group(1), text[open_at + 1:behind], *rest(text, start)
    if word := re.match(r"(else|do|try)\b", text[at:]):
        return word.group(1), "", *rest(text, skip(text, at + word.end()))
    end = at
    while end < len(text) and text[end] != ";":
        end = close(text, end) + 1 if text[end] in PAIRS else end + 1
    return "plain", "", text[at:end], end + 1


def rest(text, start):
    return text[start:(end := statement(text, start)[3])], end


def skip(text, at):
    while at < len(text) and (text[at].isspace() or text[at] == ";"):
        at += 1
    return at


def bracketed(text):
    """The contents of braces, outermost first."""
    at = 0
    while (at := text.find("{", at)) >= 0:
        end = close(text, at)
        yield text[at + 1:end]
        at = end + 1


class Reader:
    def __init__(self, file_text, helpers):
        self.file, self.helpers = file_text, helpers

    def asserts(self, text, helpers):
        return ASSERTION.search(text) or any(name in helpers for name in re.findall(r"\b(\w+)(?:<[\w:, ]*>)?\s*\(", text))

    def runs(self, keyword, head):
        """Whether a loop's body certainly runs."""
        if keyword == "for" and ";" not in head:
            things = head.split(":", 1)[1] if "::" not in head else re.split(r"(?<!:):(?!:)", head, maxsplit=1)[-1]
            things = things.strip()
            if re.search(r"\{\s*\S", things):
                return True
            name = re.escape(re.sub(r"^\w+::|\(\)$", "", things))
            return bool(re.search(rf"\b{name}\b(?:\[\w*\])?\s*(?:=\s*)?(?:[\w:<>, ]*)\{{\s*[^\s}}]", self.file))
        if keyword == "for":
            begin, condition = head.split(";")[:2]
            return not condition.strip() or bool(re.search(r"(?:<=?|>=?|!=)\s*(?:\d|k[A-Z]|\d*\s*\*)", condition))
        return False

    def certain(self, text, helpers):
        """Whether an assertion certainly runs."""
        at, helpers, found = skip(text, 0), set(helpers), False
        branches = None  # of an if, whether all branches so far assert
        while at < len(text):
            keyword, head, body, end = statement(text, at)
            if keyword == "if":
                found |= self.asserts(head, helpers) is not None and bool(self.asserts(head, helpers))
                branches = self.certain(body, helpers)
            elif keyword == "else":
                branches = bool(branches) and self.certain(body, helpers)
                found |= branches
            elif keyword in ("block", "do", "try"):
                found |= self.certain(body, helpers)
            elif keyword in ("for", "while"):
                found |= self.runs(keyword, head) and self.certain(body, helpers)
            elif keyword == "plain":
                if lambda_ := re.match(r"(?:const\s+)?auto&?\s+(\w+)\s*=\s*\[", body):
                    if self.asserts(body, helpers):
                        helpers.add(lambda_.group(1))
                elif re.match(r"(?:struct|class)\b", body):
                    pass
                else:
                    outside = body
                    for inside in bracketed(body):
                        outside = outside.replace(inside, "")
                        found |= self.certain(inside, helpers)
                    found |= bool(self.asserts(outside, helpers))
            at = skip(text, end)
        return found


def asserting_functions(text):
    """Names of functions, outside of tests, whose body asserts."""
    text = TEST.sub(lambda m: " " * len(m.group()), text)
    names = set()
    for match in re.finditer(r"\b(\w+)\s*\([^;{}]*\)\s*(?:const|override|noexcept|\s|->\s*[\w:<>]+)*\{", text):
        if match.group(1) in ("if", "for", "while", "switch", "catch"):
            continue
        end = close(text, match.end() - 1)
        if ASSERTION.search(text[match.end():end]):
            names.add(match.group(1))
    return names


def findings(folder):
    files = sorted(folder.rglob("*.cpp")) + sorted(folder.rglob("*.h"))
    sources = {file: strip(file.read_text(encoding="utf-8")) for file in files}
    shared = {name for file, text in sources.items() if file.suffix == ".h" or "support" in file.parts
              for name in asserting_functions(text)}
    tests = 0
    for file, text in sources.items():
        beside = {name for other, source in sources.items() if other.parent == file.parent
                  for name in asserting_functions(source)}
        reader = Reader(text, shared | beside)
        for match in TEST.finditer(text):
            tests += 1
            body = text[match.end():close(text, match.end() - 1)]
            if not reader.certain(body, reader.helpers):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{file}:{line}: {match.group(1)}.{match.group(2)} may pass without an assertion"
    if not tests:
        yield f"{folder}: there are no tests"


SOUND = """
void expect_sound(int x) { if (x) EXPECT_TRUE(x); }
TEST(Good, Plain) { EXPECT_EQ(1, 1); }
TEST(Good, List) { for (const int x : {1, 2}) { EXPECT_TRUE(x); } }
TEST(Good, Named) { const std::vector<int> rows = {1, 2}; for (const int x : rows) EXPECT_TRUE(x); }
TEST(Good, Count) { for (int i = 0; i < 10; ++i) EXPECT_TRUE(i); }
TEST(Good, Branches) { if (f()) { EXPECT_TRUE(1); } else { EXPECT_TRUE(2); } }
TEST(Good, Lambda) { run([&](int x) { EXPECT_TRUE(x); }); }
TEST(Good, Helper) { expect_sound(1); }
TEST(Good, NamedLambda) { const auto check = [&](int x) { EXPECT_TRUE(x); }; check(1); }
TEST(Good, Counted) { int n = 0; for (const int x : found()) { EXPECT_TRUE(x); ++n; } EXPECT_GT(n, 0); }
TEST(Good, Catch) { try { f(); FAIL(); } catch (const E& e) { EXPECT_TRUE(1); } }
"""
WRONG = """
TEST(Wrong, If) { if (f()) { EXPECT_TRUE(1); } }
TEST(Wrong, ElseIf) { if (f()) { EXPECT_TRUE(1); } else if (g()) { EXPECT_TRUE(2); } }
TEST(Wrong, Loop) { for (const int x : found()) EXPECT_TRUE(x); }
TEST(Wrong, Size) { for (size_t i = 0; i < found.size(); ++i) { EXPECT_TRUE(found[i]); } }
TEST(Wrong, While) { while (next()) EXPECT_TRUE(1); }
TEST(Wrong, Catch) { try { f(); } catch (const E& e) { EXPECT_TRUE(1); } }
TEST(Wrong, Nothing) { f(); /* EXPECT_TRUE(1); */ g("EXPECT_TRUE(1)"); }
TEST(Wrong, NotCalled) { const auto check = [&](int x) { EXPECT_TRUE(x); }; }
TEST(Wrong, InBoth) { for (const auto& e : events()) { if (e.ok()) { EXPECT_TRUE(e); } } }
"""


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "a_test.cpp")
        file.write_text(SOUND + WRONG)
        found = [line.split(": ")[1].split(" ")[0] for line in findings(pathlib.Path(folder))]
        file.write_text("")
        empty = list(findings(pathlib.Path(folder)))
    wanted = [f"{m.group(1)}.{m.group(2)}" for m in TEST.finditer(WRONG)]
    if found != wanted or len(empty) != 1:
        sys.exit(f"check_assertions.py: found {found}, wanted {wanted}; of no tests: {empty}")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if found := list(findings(pathlib.Path(sys.argv[1]))):
        sys.exit("\n".join(found))


main()
