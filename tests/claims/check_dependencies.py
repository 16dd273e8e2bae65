"""Fails unless every listed dependency is used and every used one is listed: SECURITY.md's table, CMake's
bounds, the installed packages, the #includes, what CMake finds and links, Python's pinned packages.

Usage: check_dependencies.py CHECKOUT | --self-test
"""
import pathlib
import re
import shutil
import sys
import tempfile

# A row of SECURITY.md: what an #include of its headers begins with, and its package.
LIBRARIES = {
    "oneDNN": ("dnnl", "libdnnl-dev"),
    "Highway": ("hwy/", "libhwy-dev"),
    "ICU": ("unicode/", "libicu-dev"),
    "Boost": ("boost/", "libboost-dev"),
    "fmt": ("fmt/", "libfmt-dev"),
    "toml++": ("toml++/", "libtomlplusplus-dev"),
    "protozero": ("protozero/", "libprotozero-dev"),
    "Gloo": ("gloo/", "libgloo-dev"),
    "hiredis": ("hiredis/", "libhiredis-dev"),
    "OpenSSL": ("openssl/", "libssl-dev"),
    "zlib": ("zlib.h", "zlib1g-dev"),
    "libcurl": ("curl/", "libcurl4-openssl-dev"),
    "libgomp": ("omp.h", None),  # comes with the compiler and has its version
}
ELSEWHERE = {"gtest/": ["tests"], "benchmark/": ["bench"]}  # headers of tests and benchmarks, and where they may be
TOOLS = {"g++", "cmake", "ninja-build", "ca-certificates"}
# Headers of the C library, the kernel and the compiler.
SYSTEM = re.compile(r"(?:sys|linux|net|netinet|arpa)/\w+\.h|[a-z_]+"
                    r"|(?:dirent|dlfcn|fcntl|immintrin|malloc|nmmintrin|poll|pthread|pwd|sched|time|unistd)\.h")
# Python packages that others import.
BEHIND = {"accelerate": "transformers", "tensorboard": "transformers", "tokenizers": "transformers",
          "onnx": "torch", "onnxscript": "torch"}


def sources(root, *folders):
    for folder in folders:
        for file in sorted((root / folder).rglob("*.*")):
            if file.suffix in (".h", ".cpp"):
                yield file, re.sub(r"//[^\n]*", "", file.read_text(encoding="utf-8"))


def read_rows(root):
    """{library: (from, below)} of SECURITY.md's table."""
    rows = {}
    for line in (root / "SECURITY.md").read_text(encoding="utf-8").partition("## Dependencies")[2].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 6 and cells[0] != "library" and set(cells[0]) != {"-"}:
            rows[cells[0].split(" (")[0]] = (cells[2], cells[3])
    return rows


def read_cmake(root):
    files = [root / "CMakeLists.txt", *(root / "cmake").glob("*.cmake")]
    for folder in ("apps", "bench", "examples", "fuzz", "tests", "tools"):
        files += (root / folder).rglob("CMakeLists.txt")
    return "\n".join(re.sub(r"#[^\n]*", "", f.read_text(encoding="utf-8")) for f in files if f.exists())


def problems(root):
    rows, cmake = read_rows(root), read_cmake(root)
    cmake_row = rows.pop("compiler, CMake", ("", ""))
    if wanted := re.search(r"cmake_minimum_required\(VERSION ([\d.]+)\)", cmake):
        if cmake_row[0] != f"C++20, {wanted.group(1)}":
            yield f"SECURITY.md: compiler, CMake are {cmake_row[0]}; CMakeLists.txt wants {wanted.group(1)}"
    for name in LIBRARIES.keys() ^ rows.keys():
        yield f"SECURITY.md: {name} is in its table or in tests/claims/check_dependencies.py, but not in both"
    bounds = {name.lower(): (least, below) for name, least, below in
              re.findall(r'spanforge_version\((\S+) \S+ ([\d.]+) "?([\d.]*)"?\)', cmake)}
    for name, (least, below) in rows.items():
        if name != "libgomp" and bounds.pop(name.lower(), None) != (least, below):
            yield f"SECURITY.md: {name} is from {least} below {below}; cmake/SpanforgeDependencies.cmake differs"
    for name in bounds:
        yield f"cmake/SpanforgeDependencies.cmake: {name} has no row in SECURITY.md"

    script = (root / "tools/install_packages.sh").read_text(encoding="utf-8")
    packages = set(re.search(r"\bpackages=\(([^)]*)\)", script).group(1).split())
    for package in packages ^ (TOOLS | {package for _, package in LIBRARIES.values() if package}):
        yield f"tools/install_packages.sh: {package} is installed for the build or needed by it, but not both"

    found = {begin: set() for begin in [begin for begin, _ in LIBRARIES.values()] + list(ELSEWHERE)}
    for file, text in sources(root, "src", "apps", "examples", "fuzz", "tools", "tests", "bench"):
        where = file.relative_to(root)
        for header in re.findall(r"#\s*include <([^>]+)>", text):
            begin = next((begin for begin in found if header.startswith(begin)), None)
            if begin:
                found[begin].add(where.parts[0])
            elif not SYSTEM.fullmatch(header):
                yield f"{where}: <{header}> is of no library in SECURITY.md"
            if begin in ELSEWHERE and where.parts[0] not in ELSEWHERE[begin]:
                yield f"{where}: <{header}> may be included by {', '.join(ELSEWHERE[begin])} only"
    for name, (begin, _) in LIBRARIES.items():
        if not found[begin] & {"src", "apps"}:
            yield f"{name}: no file of src/ or apps/ includes <{begin}...>"

    if fetched := re.search(r"FetchContent|ExternalProject|file\(DOWNLOAD|CPMAddPackage", cmake):
        yield f"CMake fetches at build time: {fetched.group()}"
    for package in set(re.findall(r"find_package\((\w+)", cmake)) - {"Python3", "benchmark"}:
        if not re.search(rf"[ (]{package}::\w+(?![^()]*\bIMPORTED)", cmake):
            yield f"CMake finds {package} and links no target of it"
    for target in set(re.findall(r"(?:spanforge_header_library|add_library)\((\w+::\w+)", cmake)):
        linked = re.search(rf"(?:target_link_libraries\(|_LIBS)[^)]*{re.escape(target)}", cmake)
        if not linked and not target.startswith("spanforge::"):
            yield f"CMake makes {target} and links it nowhere"

    for file, folders in (("tests/oracle/requirements.txt", ["tests"]), ("bench/requirements.txt", ["bench"])):
        python = "\n".join(f.read_text(encoding="utf-8") for folder in folders for f in (root / folder).rglob("*.py"))
        imported = set(re.findall(r"^\s*(?:import|from) (\w+)", python, re.M))
        imported |= set(re.findall(r"(?:find_spec|distribution)\(\"([\w-]+)", python))
        lines = [line for line in (root / file).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
        names = [re.split(r"[=<>!~]", line)[0] for line in lines]
        for line, name in zip(lines, names):
            if not re.fullmatch(r"[\w.-]+==[\w.]+", line):
                yield f"{file}: {line} is not pinned to one version"
            if not {name, name.replace("-", "_")} & imported and BEHIND.get(name) not in names:
                yield f"{file}: no script imports {name}"


CHECKOUT = {
    "SECURITY.md": "## Dependencies\n| library | for | from | below | here | bytes |\n|---|---|---|---|---|---|\n"
                   "| fmt | x | 8 | 13 | 9 | no |\n| libgomp | x | GCC's | | 12 | no |\n| compiler, CMake | | C++20, 3.22 | | 1 | |\n",
    "CMakeLists.txt": "cmake_minimum_required(VERSION 3.22)\nspanforge_layer(base PUBLIC_LIBS fmt::fmt PRIVATE_LIBS OpenMP::OpenMP_CXX)\n",
    "cmake/SpanforgeDependencies.cmake": 'find_package(fmt REQUIRED)\nfind_package(OpenMP)\nspanforge_version(fmt "${fmt_VERSION}" 8 13)\n',
    "tools/install_packages.sh": "packages=(g++ cmake ninja-build ca-certificates\n  libfmt-dev)\n",
    "src/a.cpp": "#include <fmt/core.h>\n#include <omp.h>\n#include <sys/stat.h>\n#include <string>\n// #include <other/x.h>\n",
    "tests/a.cpp": "#include <gtest/gtest.h>\n",
    "tests/a.py": "import torch\n", "tests/oracle/requirements.txt": "# x\ntorch==1.2\n", "bench/requirements.txt": "",
}
PLANTED = [
    ("SECURITY.md", "| fmt | x | 8 |", "| fmt | x | 7 |", ["fmt is from 7"]),
    ("SECURITY.md", "| fmt | x | 8 | 13 | 9 | no |\n", "", ["fmt is in its table", "fmt has no row"]),
    ("SECURITY.md", "| libgomp", "| CLI11 | x | 2 | 3 | 2 | no |\n| libgomp", ["CLI11 is in its table", "CLI11 is from"]),
    ("SECURITY.md", "3.22", "3.21", ["CMakeLists.txt wants 3.22"]),
    ("cmake/SpanforgeDependencies.cmake", "8 13)", '8 13)\nspanforge_version(CLI11 "1" 2.1 "")', ["cli11 has no row"]),
    ("cmake/SpanforgeDependencies.cmake", "8 13)", "8 13)\nfind_package(CLI11 REQUIRED)", ["finds CLI11"]),
    ("cmake/SpanforgeDependencies.cmake", "8 13)", "8 13)\nspanforge_header_library(toml::toml x.h)", ["makes toml::toml"]),
    ("CMakeLists.txt", "\n", "\ninclude(FetchContent)\n", ["CMake fetches"]),
    ("tools/install_packages.sh", "libfmt-dev", "libfmt-dev libcli11-dev", ["libcli11-dev is installed"]),
    ("tools/install_packages.sh", "libfmt-dev", "", ["libfmt-dev is installed"]),
    ("src/a.cpp", "<fmt/core.h>", "<string>", ["fmt: no file"]),
    ("src/a.cpp", "<string>", "<CLI/CLI.hpp>", ["<CLI/CLI.hpp> is of no library"]),
    ("src/a.cpp", "<string>", "<gtest/gtest.h>", ["by tests only"]),
    ("tests/oracle/requirements.txt", "torch==1.2", "torch>=1.2", ["torch>=1.2 is not pinned"]),
    ("tests/oracle/requirements.txt", "torch==1.2", "torch==1.2\nnumpy==2.0", ["imports numpy"]),
]


def self_test():
    bad = []
    global LIBRARIES
    LIBRARIES = {name: LIBRARIES[name] for name in ("fmt", "libgomp")}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder, "checkout")
        for file, old, new, wanted in [("SECURITY.md", "", "", []), *PLANTED]:
            shutil.rmtree(root, ignore_errors=True)
            for name, text in CHECKOUT.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text.replace(old, new) if name == file and old else text)
            found = list(problems(root))
            if len(found) != len(wanted) or not all(any(w in line for line in found) for w in wanted):
                bad.append(f"{file}, {old!r} -> {new!r}: wanted {wanted}, found {found}")
    return bad


def main():
    found = self_test() if sys.argv[1:] == ["--self-test"] else list(problems(pathlib.Path(sys.argv[1]).resolve()))
    if found:
        sys.exit("\n".join(found))


main()
