"""Fails if a message of the library names a flag of the program, or an unknown parameter.

- No text in src/spanforge holds a flag ("--output"), except within a whole command ("spanforge model convert
  --merge-lora"): a user of the library knows parameters, and the program turns them into flags.
- Each parameter that a text names in backquotes (`output`) is an option in docs/commands.md, and one that
  apps/spanforge/flags.cpp knows: an option of training, or in its list. That list holds nothing else.

Usage: check_parameters.py ROOT | --self-test
"""
import pathlib
import re
import sys
import tempfile

TOKEN = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/', re.S)
COMMAND = re.compile(r"\bspanforge(?: [a-z]+)+ --[a-z-]+")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
NAMED = re.compile(r"`([a-z][a-z0-9_]*)`")


def texts(source):
    """(line, text) of the string literals; adjacent ones are one."""
    found, end = [], 0
    for match in TOKEN.finditer(source):
        if not match.group().startswith(('"', 'R"')):
            continue
        if source[max(0, match.start() - 8):match.start()].rstrip().endswith("#include"):
            continue
        text = match.group().split('"', 1)[1][:-1]
        if found and not source[end:match.start()].strip():
            found[-1] = (found[-1][0], found[-1][1] + text)
        else:
            found.append((source.count("\n", 0, match.start()) + 1, text))
        end = match.end()
    return found


def list_in(source, name):
    block = re.search(rf"{name}\[\] = \{{(.*?)\}};", source, re.S)
    return set(re.findall(r'"(\w+)"', block.group(1))) if block else set()


def training_options(root, constants):
    """Names in the rows of visit_training_arguments; a row may be a constant of another header."""
    rows = (root / "src/spanforge/train/arguments.h").read_text()
    shared = {constants.get(row) for row in re.findall(r"\bv\((k\w+),", rows)}
    return set(re.findall(r'\bv\(\s*I\{\s*"(\w+)"', rows)) | shared


def check(root):
    problems, named, constants = [], {}, {}
    for file in sorted(f for f in (root / "src/spanforge").rglob("*") if f.suffix in (".h", ".cpp")):
        source = file.read_text()
        constants.update(re.findall(r'OptionInfo (k\w+)\{\s*"(\w+)"', source))
        for line, text in texts(source):
            where = f"{file.relative_to(root)}:{line}"
            for flag in FLAG.findall(COMMAND.sub("", text)):
                problems.append(f"{where}: names the flag {flag}; name the parameter, in backquotes")
            for name in NAMED.findall(text):
                named.setdefault(name, where)
    flags = set(re.findall(r"^\| `--([a-z0-9-]+)`", (root / "docs/commands.md").read_text(), re.M))
    training = training_options(root, constants)
    others = list_in((root / "apps/spanforge/flags.cpp").read_text(), "kNamedOthers")
    if not named or not training:
        problems.append("no text names a parameter, or training has no option: this check reads nothing")
    for name, where in named.items():
        if name.replace("_", "-") not in flags:
            problems.append(f"{where}: `{name}` is no option in docs/commands.md")
        elif name not in training | others:
            problems.append(f"{where}: `{name}` is not in kNamedOthers of apps/spanforge/flags.cpp")
    for name in sorted(others - (set(named) - training)):
        problems.append(f"apps/spanforge/flags.cpp: kNamedOthers holds {name}, which no text needs")
    return problems


def self_test():
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)

        def put(path, text):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)

        def found(source, others='"max_drop"'):
            put("src/spanforge/a.cpp", source)
            put("apps/spanforge/flags.cpp", f"kNamedOthers[] = {{{others}}};")
            return check(root)

        put("docs/commands.md", "".join(f"| `--{name}` | x |\n" for name in ("output", "max-drop", "by", "columns")))
        put("src/spanforge/train/arguments.h", 'v(I{"output", "help"}, a.output);\nv(kColumnsOption, a.columns);')
        put("src/spanforge/data/names.h", 'constexpr OptionInfo kColumnsOption{\n    "columns", "help"};')
        good = 'f("give `output`", "or `columns`", "and `max_drop`");  // of --output\n--depth;\n'
        assert found(good) == []
        assert found(good + '"spanforge model convert "\n"--merge-lora"') == []
        for bad in ('"give --output"', '"(evaluate --output)"', '"`outptu`"', '"`by`"', 'R"(--output)"'):
            assert len(found(good + bad)) == 1, bad
        assert len(found(good, '"max_drop", "by"')) == 1
        assert found("") != []


if sys.argv[1:] == ["--self-test"]:
    self_test()
else:
    complaints = check(pathlib.Path(sys.argv[1]))
    print("\n".join(complaints))
    sys.exit(bool(complaints))
