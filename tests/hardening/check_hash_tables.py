"""Fails if a table of the library hashes without the process's key: keys of an untrusted file that all
fall into one bucket would cost the square of their number (src/spanforge/base/keyed_hash.h).

Usage: check_hash_tables.py SOURCE_DIRECTORY | --self-test
"""
import pathlib
import re
import sys
import tempfile

BARE = re.compile(r"\bstd::(unordered_\w+|hash)\b")
# keyed_hash.h defines the tables. Those of ops/ have shapes and oneDNN's argument numbers as keys.
ALLOWED = ("base/keyed_hash.h", "ops/")


def bare_tables(source):
    for file in sorted(source.rglob("*.*")):
        if file.suffix not in (".h", ".cpp") or str(file.relative_to(source)).startswith(ALLOWED):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if match := BARE.search(line.split("//")[0]):
                yield f"{file}:{number}: {match.group()}: take KeyedMap, KeyedSet or TextIndex (base/keyed_hash.h)"


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder)
        for name in ("data", "ops", "base"):
            (source / name).mkdir()
        planted = "std::unordered_map<std::string, int> ids;\nsize_t h = std::hash<int>()(3);  // std::hash\n"
        (source / "data/a.cpp").write_text("int x;  // not std::hash\n" + planted)
        (source / "ops/a.cpp").write_text(planted)
        (source / "base/keyed_hash.h").write_text(planted)
        found = [line.split(": ")[0] for line in bare_tables(source)]
        return found == [f"{source}/data/a.cpp:{n}" for n in (2, 3)]


def main():
    if sys.argv[1:] == ["--self-test"]:
        if not self_test():
            sys.exit("check_hash_tables.py: the planted tables were not found as they should be")
        return
    source = pathlib.Path(sys.argv[1])
    if not any(source.rglob("*.cpp")):
        sys.exit(f"check_hash_tables.py: {source}: there are no sources")
    if found := list(bare_tables(source)):
        sys.exit("\n".join(found))


main()
