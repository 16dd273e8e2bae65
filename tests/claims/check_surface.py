"""Fails unless docs/versioning.md names exactly the headers that are installed: the public ones of
cmake/SpanforgeInstall.cmake under "Stable", and what those include under "Installed, not stable".

Usage: check_surface.py CHECKOUT | --self-test
"""
import pathlib
import re
import sys
import tempfile


def included(root, headers):
    """The project's headers that these headers include, directly or through others."""
    seen, todo = set(headers), list(headers)
    while todo:
        text = (root / "src/spanforge" / todo.pop()).read_text(encoding="utf-8")
        for header in set(re.findall(r'^#include "spanforge/([^"]+)"', text, re.M)) - seen:
            seen.add(header)
            todo.append(header)
    return seen - set(headers)


def problems(root):
    cmake = (root / "cmake/SpanforgeInstall.cmake").read_text(encoding="utf-8")
    public = set(re.search(r"set\(SPANFORGE_PUBLIC_HEADERS\s([^)]*)\)", cmake).group(1).split())
    page = (root / "docs/versioning.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    for title, wanted in (("Stable", public | {"version.h"}), ("Installed, not stable", included(root, public))):
        named = {name.removeprefix("spanforge/") for name in re.findall(r"`([\w/]+\.h)`", sections.get(title, ""))}
        if named != wanted:
            yield (f"docs/versioning.md, {title}: names {sorted(named - wanted)}, which are not installed so, "
                   f"and lacks {sorted(wanted - named)}")


CHECKOUT = {
    "cmake/SpanforgeInstall.cmake": "set(SPANFORGE_PUBLIC_HEADERS\n  a/a.h\n  b/b.h)\n",
    "src/spanforge/a/a.h": '#include "spanforge/c/c.h"\n', "src/spanforge/b/b.h": "", "src/spanforge/c/c.h": "",
    "docs/versioning.md": "## Stable\n`version.h`, `a/a.h`, `b/b.h`\n## Installed, not stable\n`c/c.h`\n## More\n`d/d.h`\n",
}
# A file, a change in it, and the number of sections in which it must be noticed.
PLANTED = [
    ("docs/versioning.md", "`b/b.h`", "", 1), ("docs/versioning.md", "`c/c.h`", "`c/c.h` `b/b.h`", 1),
    ("docs/versioning.md", "## Installed, not stable", "## Others", 1), ("src/spanforge/b/b.h", "", "#include \"spanforge/d/d.h\"\n", 1),
    ("cmake/SpanforgeInstall.cmake", "b/b.h", "", 1), ("cmake/SpanforgeInstall.cmake", "b/b.h", "c/c.h", 2),
]


def self_test():
    for file, old, new, count in [("docs/versioning.md", "x", "x", 0), *PLANTED]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {**CHECKOUT, "src/spanforge/d/d.h": ""}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text.replace(old, new, 1) if name == file else text)
            found = list(problems(root))
            if len(found) != count:
                yield f"{file}, {old!r} -> {new!r}: {found}"


found = list(self_test() if sys.argv[1:] == ["--self-test"] else problems(pathlib.Path(sys.argv[1])))
if found:
    sys.exit("\n".join(found))
