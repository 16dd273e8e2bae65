"""Fails if a document names something that does not exist: links and their headings, files, tests, labels,
commands and options. Commands and options are those of docs/commands.md, which a test of label e2e compares
with the program.

  - README.zh.md and docs/recipe.zh.md have the commands and links of their English originals;
  - every page of docs/ is reached from README.md;
  - docs/RELIABILITY.md has a row for each target of fuzz/ and the right numbers of hostile texts and rows of
    bad input, and the tests of SECURITY.md's promises exist.

Usage: check_docs.py CHECKOUT --build DIR | --self-test
"""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FOLDERS = ("apps", "bench", "cmake", "data", "docs", "examples", "fuzz", "src", "tests", "tools", ".ci")
OTHERS_OPTIONS = set("--cpus-per-task --kill-on-bad-exit --max-restarts --no-python --nodes --nproc-per-node --ntasks-per-node "
                     "--requeue --standalone --build --gtest_filter --logdir --output-on-failure --preset --target --test-dir --version".split())
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*[a-z0-9]\b(?!-)")

Tests = collections.namedtuple("Tests", "names labels")


def documents(root):
    found = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("data/*/*.md"), *root.glob("tests/**/*.md")]
    return {file.relative_to(root): file.read_text(encoding="utf-8") for file in sorted(found)}


def slug(heading):
    text = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower())
    return text.strip().replace(" ", "-")


def links_of(text):
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def code_of(text):
    """The lines of fenced and indented blocks and the inline code of a document."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.M | re.S)
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    rest = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    lines += re.findall(r"^    (.*)$", rest, re.M)
    return [line.split(" # ")[0].split("  #")[0].strip() for line in lines], re.findall(r"`([^`\n]+)`", rest)


def read_commands(root):
    """{command: its options} of docs/commands.md."""
    commands = {}
    for section in re.split(r"^## spanforge ", (root / "docs/commands.md").read_text(encoding="utf-8"), flags=re.M)[1:]:
        name, _, body = section.partition("\n")
        commands[name.strip()] = set(OPTION.findall(body)) | {"--help"}
    return commands


def command_problems(line, commands):
    """spanforge commands and options of a command line that do not exist."""
    for words in re.findall(r"(?:^|[|;&(]\s*|bin/)spanforge ([^|;&#]*)", line):
        first = re.findall(r"^[a-z0-9]+(?: [a-z]+)?", words)
        if not first:
            continue
        name = first[0] if first[0] in commands else first[0].split(" ")[0]
        family = " " not in first[0] and any(command.startswith(name + " ") for command in commands)
        if name not in commands and not family:
            yield f"there is no command spanforge {first[0]}"
            continue
        known = commands.get(name) or set().union(*(o for c, o in commands.items() if c.startswith(name + " ")))
        for option in OPTION.findall(words):
            if option.replace("_", "-") not in known:
                yield f"spanforge {name} has no option {option}"


def script_problems(line, root):
    """Scripts of the checkout in a command line that do not exist, and options that they do not mention."""
    for match in re.finditer(r"(?:^|\s|\./)((?:[\w.]+/)*[\w.]+\.(?:sh|py))\b([^|;&#]*)", line):
        script, words = root / match.group(1), match.group(2)
        if not script.exists():
            if "/" in match.group(1) or match.group(0).startswith("./"):
                yield f"there is no file {match.group(1)}"
            continue
        beside = [script] if script.suffix == ".sh" or script.parent.name == "tools" else script.parent.rglob("*.py")
        beside = [*beside, *([root / "bench/run.py"] if script.name == "bench.sh" else [])]
        text = "\n".join(file.read_text(encoding="utf-8") for file in beside)
        for option in OPTION.findall(words):
            if not re.search(rf"{option}\b", text):
                yield f"{match.group(1)} has no option {option}"


def alternatives(expression):
    depth, begin = 0, 0
    for at, letter in enumerate(expression + "|"):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "|" and depth == 0:
            yield expression[begin:at]
            begin = at + 1


def test_problems(line, tests):
    """Tests and labels in a command line that ctest does not have, and filters that match no GoogleTest."""
    if re.match(r"(?:.*\s)?(?:ctest|tools/run_sanitizers\.sh|\./test\.sh)\b", line):
        for option, quoted, bare in re.findall(r" -([RL]) (?:'([^']*)'|([^\s'`]+))", line):
            for expression in alternatives((quoted or bare).replace("\\|", "|")):
                if not any(re.search(expression, name) for name in (tests.names if option == "R" else tests.labels)):
                    yield f"no {'test' if option == 'R' else 'label'} matches {expression}"
    for patterns in re.findall(r"--gtest_filter='?([\w*.:]+)", line):
        for pattern in patterns.split(":"):
            expression = re.escape(pattern).replace(r"\*", ".*")
            if not any(re.fullmatch(expression, name.partition("/")[2]) for name in tests.names):
                yield f"no test matches {pattern}"


def path_problems(word, root, tests):
    """A path of the checkout or a test's name in a word of code that does not exist."""
    word = word.strip("'\"").rstrip(":,.").removeprefix("./")
    first, _, rest = word.partition("/")
    layers = {path.name for path in (root / "src/spanforge").glob("*")}
    if not rest or re.search(r"[<>${}=()|]|\b(?:NAME|OUTPUT|DIR|ID|FILE|PROGRAM|N)\b", word):
        return
    prefixes = {name.partition("/")[0] for name in tests.names}
    if first not in FOLDERS and first not in layers and first not in prefixes and first != "build":
        return
    if first == "build":
        program = re.fullmatch(r"build/release/bin/(\w+)", word)
        if program and not any(re.search(rf"\b{program.group(1)}\b", file.read_text(encoding="utf-8"))
                               for file in root.rglob("CMakeLists.txt") if "build" not in file.relative_to(root).parts):
            name = re.sub(r"_(?:test|driver|bench|workload)$", "", program.group(1))
            if not any(root.glob(f"tests/{name}/*_test.cpp")) and not any(root.glob(f"*/**/{program.group(1)}.cpp")):
                yield f"there is no program {word}"
        return
    for place in (root, root / "src/spanforge", root / "src", root / "apps"):
        if any(place.glob(word.rstrip("/"))) or any(place.glob(word + ".h")) or any(place.glob(word + ".cpp")):
            return
    if not any(name == word or name.startswith(word.rstrip("/") + "/") or re.fullmatch(re.escape(word).replace(r"\*", ".*"), name)
               for name in tests.names):
        yield f"there is no {word}"


def problems(root, tests):
    texts, commands = documents(root), read_commands(root)
    scripts = "\n".join(file.read_text(encoding="utf-8") for pattern in ("*.sh", "tools/*.*", "tests/**/*.py", "bench/**/*.py")
                        for file in root.glob(pattern) if file.is_file() and file.suffix in (".sh", ".py"))
    known = set().union(*commands.values()) | OTHERS_OPTIONS
    linked = collections.defaultdict(set)
    for name, text in texts.items():
        for link in links_of(text):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (root / name).parent / path if path else root / name
            if not target.exists():
                yield f"{name}: the link {link} leads nowhere"
                continue
            target = target.resolve().relative_to(root)
            linked[name].add(target)
            if anchor and anchor not in [slug(h) for h in re.findall(r"^#+ (.*)$", texts.get(target, ""), re.M)]:
                yield f"{name}: {path or name} has no heading #{anchor}"
        lines, inline = code_of(text)
        for line in lines + inline:
            for problem in (*command_problems(line, commands), *script_problems(line, root), *test_problems(line, tests)):
                yield f"{name}: {problem}"
        for word in [word for line in lines + inline for word in line.split()]:
            for problem in path_problems(word, root, tests):
                yield f"{name}: {problem}"
        for option in OPTION.findall("\n".join(inline)):
            if option.replace("_", "-") not in known and option not in known and not re.search(rf"{option}\b", scripts):
                yield f"{name}: neither the program nor a script has the option {option}"
        if name.name.startswith("README") and len(name.parts) == 1:
            yield from (f"{name}: {problem}" for problem in listed_commands(text, commands))
        if ".zh." in name.name:
            yield from (f"{name}: {problem}" for problem in translation_problems(name, texts))

    reached, waiting = set(), [pathlib.Path("README.md")]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += linked[page]
    for name in texts:
        if name not in reached:
            yield f"{name} is not reached from README.md"

    for folder in FOLDERS:
        for file in (root / folder).rglob("*"):
            if file.suffix in (".h", ".cpp", ".py", ".sh", ".txt", ".cmake") and file.is_file() and file.name != "check_docs.py":
                for page in re.findall(r"(?<![\w/])docs/[\w./-]+\.md", file.read_text(encoding="utf-8", errors="replace")):
                    if not (root / page).exists():
                        yield f"{file.relative_to(root)}: there is no {page}"

    targets = {file.name.removesuffix("_fuzz.cpp") for file in root.glob("fuzz/*_fuzz.cpp")}
    rows = set(re.findall(r"^\| `(\w+)` \| [\d.]+ million", texts[pathlib.Path("docs/RELIABILITY.md")], re.M))
    if targets != rows:
        yield f"docs/RELIABILITY.md: fuzz/ and the table of targets differ in {sorted(targets ^ rows)}"
    reliability = texts[pathlib.Path("docs/RELIABILITY.md")]
    hostile = sum("LinearTime.TwiceTheSize" in name for name in tests.names)
    if f"on {hostile} hostile texts" not in reliability:
        yield f"docs/RELIABILITY.md: tests/linear has {hostile} hostile texts"
    rows = sum(map(int, re.findall(r"^\| (\d+) \| (?!generated ones)", reliability, re.M)))
    if rows != (written := written_rows(root)):
        yield f"docs/RELIABILITY.md: tests/bad_input has {written} written rows, the table {rows}"
    promises = re.findall(r"^\| \*\*.*\| ([^|]*) \|$", texts[pathlib.Path("SECURITY.md")], re.M)
    bodies = {name.rpartition(".")[2] for name in tests.names}
    for promise in promises or [""]:
        names = re.findall(r"`([\w/.]+)`", promise)
        if not names:
            yield f"SECURITY.md: no test is named for '{promise}'"
        for name in names:
            if "/" not in name and name not in bodies:
                yield f"SECURITY.md: there is no test {name}"


def written_rows(root):
    """Of the table of bad input."""
    modules = ", ".join(sorted(file.stem for file in (root / "tests/bad_input").glob("cases_*.py")))
    count = f"import {modules}, table; print(sum(not case.made for case in table.CASES))"
    return int(subprocess.run([sys.executable, "-c", count], cwd=root / "tests/bad_input", check=True, capture_output=True,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).stdout)


def listed_commands(text, commands):
    """Rows such as: | ... | `spanforge data show`, `check` |"""
    for row in re.findall(r"^\|.*\| (`spanforge .*) \|$", text, re.M):
        for group in re.split("[;；]", row):
            first, *others = re.findall(r"`([^`]+)`", group)
            family = first.removeprefix("spanforge ").rpartition(" ")[0]
            for other in others:
                if f"{family} {other}".strip() not in commands:
                    yield f"there is no command spanforge {family} {other}"


def translation_problems(name, texts):
    original = pathlib.Path(str(name).replace(".zh.", "."))
    if original not in texts:
        yield f"there is no {original}"
        return

    def facts(page):
        lines, inline = code_of(texts[page])
        lines = [re.sub(r'"[^"]*"', '"..."', line.split("#")[0].strip()) for line in lines]
        return {"command": [line for line in lines if line.isascii() and line],
                "link": sorted(re.sub(r"\.zh\.(md|png)", r".\1", link) for link in set(links_of(texts[page])))}

    ours, theirs = facts(name), facts(original)
    for what in ours:
        here, there = set(ours[what]), set(theirs[what])
        yield from (f"{original} has not the {what} {one}" for one in sorted(here - there))
        yield from (f"only {original} has the {what} {one}" for one in sorted(there - here))


CHECKOUT = {
    "README.md": "# A\n[a](docs/a.md#the-b-of-c) [r](docs/RELIABILITY.md) [s](SECURITY.md) [c](docs/commands.md) [zh](README.zh.md)\n"
                 "```\nspanforge data show x.json --rows 3  # text\n./test.sh --quick\nctest --test-dir build/release -R 'base/|e2e/(a|b)$' -L base\n"
                 "```\n| x | `spanforge data show`, `fix`; `spanforge ask` |\n`src/spanforge/base/a.h` `base/a` `e2e/a` `--rows`\n",
    "README.zh.md": "# 文\n[a](docs/a.md#the-b-of-c) [r](docs/RELIABILITY.md) [s](SECURITY.md) [c](docs/commands.md) [zh](README.md)\n"
                    "```\nspanforge data show x.json --rows 3  # 文\n./test.sh --quick\nctest --test-dir build/release -R 'base/|e2e/(a|b)$' -L base\n```\n",
    "docs/a.md": "## The `b` of c\n`build/release/bin/base_test --gtest_filter='Good*'`\n",
    "docs/commands.md": "## spanforge data show\n| `--rows` |\n## spanforge data fix\n| `--similar` |\n## spanforge ask\nx\n",
    "docs/RELIABILITY.md": "| `zip` | 5.1 million | 3 |\non 1 hostile texts\n| 1 | x |\n| 1 | y |\n| 5 | generated ones |\n",
    "tests/bad_input/cases_a.py": "", "fuzz/zip_fuzz.cpp": "",
    "tests/bad_input/table.py": "class Case: made = False\nclass Made: made = True\nCASES = [Case, Case, Made]\n",
    "SECURITY.md": "| promise | tested by |\n|---|---|\n| **No.** x | `IsHeld`, `e2e/a` |\n",
    "src/spanforge/base/a.h": "// docs/a.md", "tests/base/a_test.cpp": "", "test.sh": "case --quick)",
}
PLANTED = [
    ("README.md", "docs/a.md#the-b-of-c", "docs/b.md", ["leads nowhere", "has not the link docs/a.md", "only README.md has"]),
    ("README.md", "[s](SECURITY.md) [c](docs/commands.md) [zh](README.zh.md)", "[zh](README.zh.md) `x`",
     ["has not the link SECURITY.md", "has not the link docs/commands.md"]),
    ("SECURITY.md", "| promise", "`docs/RELIABILITY.md`\n\n| promise", []),
    ("src/spanforge/base/a.h", "docs/a.md", "docs/none.md", ["a.h: there is no docs/none.md"]),
    ("docs/a.md", "The `b` of c", "The `b`", ["README.md: docs/a.md has no heading", "README.zh.md: docs/a.md has no heading"]),
    ("docs/a.md", "## ", "`spanforge data shw`\n## ", ["no command spanforge data shw"]),
    ("docs/a.md", "## ", "`spanforge data fix --rows 3`\n## ", ["spanforge data fix has no option --rows"]),
    ("docs/a.md", "## ", "`spanforge ask --quick`\n## ", ["spanforge ask has no option --quick"]),
    ("docs/a.md", "## ", "`--none`\n## ", ["the option --none"]),
    ("docs/a.md", "## ", "`./test.sh --none`\n## ", ["test.sh has no option --none", "the option --none"]),
    ("docs/a.md", "## ", "```\ntools/none.sh\n```\n## ", ["no file tools/none.sh", "no tools/none.sh"]),
    ("docs/a.md", "## ", "`base/none.h`\n## ", ["there is no base/none.h"]),
    ("docs/a.md", "## ", "`e2e/none`\n## ", ["there is no e2e/none"]),
    ("docs/a.md", "## ", "`ctest -R 'base|none'`\n## ", ["no test matches none"]),
    ("docs/a.md", "## ", "`ctest -L none`\n## ", ["no label matches none"]),
    ("docs/a.md", "Good*", "Good*:None*", ["no test matches None*"]),
    ("README.md", "`fix`", "`none`", ["no command spanforge data none"]),
    ("README.zh.md", "--rows 3", "--rows 4", ["README.md has not the command", "only README.md has the command"]),
    ("README.zh.md", "[s](SECURITY.md)", "", ["only README.md has the link SECURITY.md"]),
    ("docs/RELIABILITY.md", "`zip`", "`zap`", ["['zap', 'zip']"]),
    ("docs/RELIABILITY.md", "on 1 hostile", "on 2 hostile", ["has 1 hostile texts"]),
    ("docs/RELIABILITY.md", "| 1 | x", "| 2 | x", ["has 2 written rows, the table 3"]),
    ("SECURITY.md", "`IsHeld`", "`IsNotHeld`", ["no test IsNotHeld"]),
    ("SECURITY.md", "`IsHeld`, `e2e/a`", "me", ["no test is named"]),
]


def self_test():
    bad = []
    tests = Tests(["base/Good.IsHeld", "e2e/a", "e2e/b", "linear/LinearTime.TwiceTheSize/A"], {"base", "e2e"})
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder, "checkout").resolve()
        for file, old, new, wanted in [("README.md", "", "", []), *PLANTED]:
            shutil.rmtree(root, ignore_errors=True)
            for name, text in CHECKOUT.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text.replace(old, new) if name == file and old else text)
            found = list(problems(root, tests))
            if len(found) != len(wanted) or not all(any(w in line for line in found) for w in wanted):
                bad.append(f"{file}, {old!r} -> {new!r}: wanted {wanted}, found {found}")
    return bad


def main():
    if sys.argv[1:] == ["--self-test"]:
        found = self_test()
    else:
        listed = subprocess.run(["ctest", "--test-dir", sys.argv[3], "--show-only=json-v1"], check=True, capture_output=True)
        listed = json.loads(listed.stdout)["tests"]
        properties = [p for test in listed for p in test["properties"]]
        root = pathlib.Path(sys.argv[1]).resolve()
        tests = Tests([test["name"] for test in listed],
                      {label for p in properties if p["name"] == "LABELS" for label in p["value"]})
        found = list(problems(root, tests))
    if found:
        sys.exit("\n".join(found))


main()
