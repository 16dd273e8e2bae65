"""Fails unless a wheel may be handed out: licences of all that is in it, size, tag, symbols, libraries.

Usage: check.py WHEEL | --self-test

Every library in spanforge.libs/ and every library of SECURITY.md's table that is compiled in needs its licence in
.dist-info/licenses/, found by words of it. A library that LICENCES does not know fails, too.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST_BYTES = 60_000_000
GLIBC, GLIBCXX = (2, 35), (3, 4, 30)

# A library's name in SECURITY.md: how its .so is called (None: only its headers are in the wheel), and words that
# its licence has.
LICENCES = {
    "oneDNN": (r"libdnnl", "Intel Corporation"),
    "Highway": (r"libhwy", "Apache"),
    "libgomp": (r"libgomp", "GCC Runtime Library Exception"),
    "ICU": (r"libicu(uc|data|i18n)", "Unicode, Inc."),
    "Boost (Asio, Beast; headers)": (None, "Boost Software License"),
    "fmt": (r"libfmt", "Victor Zverovich"),
    "toml++": (None, "Mark Gillard"),
    "protozero": (None, "Mapbox"),
    "OpenSSL (libcrypto, libssl)": (r"lib(crypto|ssl)", "OpenSSL Project"),
    "zlib": (r"libz", "Jean-loup Gailly"),
    # Not in that table, because no source of ours names them:
    "libstdc++ (headers)": (None, "GCC Runtime Library Exception"),
    "nanobind": (None, "Wenzel Jakob"),
    "robin_map": (None, "Thibaut Goetghebuer-Planchon"),
}
# libcurl: Python downloads. Gloo: Debian's needs libraries for InfiniBand. hiredis: only for Gloo's processes.
ABSENT = {"libcurl", "Gloo (may be missing: then there is one process)",
          "hiredis (may be missing: then processes meet in a directory only)", "compiler, CMake"}
FORBIDDEN = r"lib(curl|gloo|hiredis|OpenCL|gloo|stdc\+\+|gcc_s)"  # not wanted, or the system's


def dependencies():
    table = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
    return re.findall(r"^\| ([^|]+?) \|", table, re.M)[1:]  # without the head


def check(wheel, tags):
    """What is wrong with it."""
    wrong = []
    if wheel.stat().st_size > MOST_BYTES:
        wrong.append(f"{wheel.stat().st_size} bytes, more than {MOST_BYTES}")
    if not wheel.stem.endswith(tags):
        wrong.append(f"its tag is not one of {tags}")
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        licences = {n: files.read(n).decode() for n in names if re.search(r"\.dist-info/licenses/third_party/", n)}
        if not any(n.endswith(".dist-info/licenses/LICENSE") for n in names):
            wrong.append("our own LICENSE is not in it")
        listed = "".join(files.read(n).decode() for n in names if n.endswith("/licenses/third_party.txt"))
        texts = " ".join(licences.values())
        for name in dependencies():
            if name not in LICENCES and name not in ABSENT:
                wrong.append(f"{name}: check.py does not know its licence")
        for name, (_, words) in LICENCES.items():
            if not any(words in text for text in licences.values()):
                wrong.append(f"{name}: no licence with the words '{words}'")
        if "/usr/share/common-licenses/" in texts:
            for common in set(re.findall(r"(?<=/usr/share/common-licenses/)[A-Za-z0-9.+-]*[A-Za-z0-9]", texts)):
                if f"/usr/share/common-licenses/{common}\n====" not in texts:
                    wrong.append(f"the text of {common} is only referred to")
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                if re.search(r"\.so(\.|$)", name):
                    wrong += check_library(name, files.extract(name, folder), listed)
    return wrong


def check_library(name, path, listed):
    wrong = []
    file = pathlib.PurePath(name).name
    bundled = name.startswith("spanforge.libs/")
    if re.match(FORBIDDEN, file):
        wrong.append(f"{name}: must not be in it")
    if bundled and not any(pattern and re.fullmatch(pattern + r"(-[0-9a-f]+)?\.so.*", file) for pattern, _ in LICENCES.values()):
        wrong.append(f"{name}: check.py does not know its licence")
    if bundled and f"\n{file}: " not in listed:
        wrong.append(f"{name}: third_party.txt does not say which licence it has")
    symbols = subprocess.run(["objdump", "-T", "-p", path], capture_output=True, text=True).stdout
    for library in re.findall(r"^\s+NEEDED\s+(\S+)", symbols, re.M):
        if re.match(r"lib(curl|OpenCL)", library):
            wrong.append(f"{name}: needs {library}")
    for prefix, most in (("GLIBC_", GLIBC), ("GLIBCXX_", GLIBCXX)):
        versions = re.findall(r"\*UND\*.*\(?\b" + prefix + r"([0-9.]+)", symbols)
        newer = {v for v in versions if tuple(map(int, v.split("."))) > most}
        if newer:
            wrong.append(f"{name}: needs {prefix}{', '.join(sorted(newer))}")
    return wrong


def self_test():
    """A wheel with one fault each, and one without."""
    good = {"spanforge/__init__.py": "", "s.dist-info/licenses/LICENSE": "ours",
            "spanforge.libs/libicudata-0123abcd.so.72": "", "spanforge.libs/libdnnl-0123abcd.so.2": "",
            "s.dist-info/licenses/third_party.txt": "\nlibicudata-0123abcd.so.72: a.txt\nlibdnnl-0123abcd.so.2: a.txt\n"}
    texts = {f"s.dist-info/licenses/third_party/{i}.txt": words for i, (_, words) in enumerate(LICENCES.values())}
    strange = "spanforge.libs/libstrange-0123abcd.so.1"
    rows = [("nothing", {}, None), ("our licence", {"s.dist-info/licenses/LICENSE": None}, "our own LICENSE"),
            ("a library nobody knows", {strange: ""}, "libstrange-0123abcd.so.1: check.py does not know"),
            ("a library without a line", {"s.dist-info/licenses/third_party.txt": "\nlibdnnl-0123abcd.so.2: a.txt\n"},
             "libicudata-0123abcd.so.72: third_party.txt"),
            ("libcurl", {"spanforge.libs/libcurl-0123abcd.so.4": ""}, "must not be in it"),
            ("a licence only referred to", {"s.dist-info/licenses/third_party/x.txt": "see /usr/share/common-licenses/GPL-3"},
             "the text of GPL-3")]
    for i, (name, (_, words)) in enumerate(LICENCES.items()):
        others = {f for f, text in texts.items() if words in text}
        rows.append((name, dict.fromkeys(others), f"{name}: no licence"))
    for what, changes, expected in rows:
        with tempfile.TemporaryDirectory() as folder:
            wheel = pathlib.Path(folder, "spanforge-0-cp312-abi3-manylinux_2_35_x86_64.whl")
            with zipfile.ZipFile(wheel, "w") as out:
                for name, text in (good | texts | changes).items():
                    if text is not None:
                        out.writestr(name, text)
            wrong = check(wheel, TAGS)
            if (expected is None and wrong) or (expected and not any(expected in line for line in wrong)):
                sys.exit(f"check.py: a wheel with the fault '{what}' gave {wrong}")
    missing = [name for name in dependencies() if name not in LICENCES and name not in ABSENT]
    if missing:
        sys.exit(f"check.py: no licence known for {missing}")
    print(f"{len(rows)} wheels judged rightly")


TAGS = ("cp311-cp311-manylinux_2_35_x86_64", "cp312-abi3-manylinux_2_35_x86_64")
if sys.argv[1:] == ["--self-test"]:
    self_test()
else:
    faults = check(pathlib.Path(sys.argv[1]), TAGS)
    for fault in faults:
        print(f"{sys.argv[1]}: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)
