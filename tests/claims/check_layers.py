"""Fails unless docs/ARCHITECTURE.md, CMakeLists.txt and the sources agree about the layers.

  - the folders of src/spanforge/ are CMake's layers and the table's rows, README.md's list and the table in
    CMake's order; a layer includes, directly or through another layer's headers, exactly the layers that its DEPS
    and its row name, all of them below it;
  - a layer includes exactly the third-party headers of the libraries CMake links it with;
  - the compiler gets no include root of a layer that its row does not name (--build DIR reads compile_commands.json),
    and, asked with each layer's own roots, finds headers of exactly those layers;
  - only hub can reach the network, only serve listens, and two files of parallel connect the processes of one start;
    only ops/gemm.cpp calls oneDNN's products of matrices;
  - every layer has tests in the folder of its name;
  - only the program prints or exits, only main() catches std::exception, and a layer catches other libraries'
    exceptions only if it includes their headers.

Usage: check_layers.py CHECKOUT [--build DIR] | --self-test
"""
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

# What an #include of each library's headers begins with.
HEADERS = {
    "Boost::headers": "boost/", "CURL::libcurl": "curl/", "DNNL::dnnl": "dnnl", "ICU::uc": "unicode/",
    "Gloo::gloo": "gloo/", "hiredis::hiredis": "hiredis/", "OpenMP::OpenMP_CXX": "omp.h",
    "OpenSSL::Crypto": "openssl/", "ZLIB::ZLIB": "zlib.h", "fmt::fmt": "fmt/", "hwy::hwy": "hwy/",
    "protozero::protozero": "protozero/",
    "tomlplusplus::tomlplusplus": "toml++/",
}
SAME = {"ICU::i18n": "ICU::uc", "OpenSSL::SSL": "OpenSSL::Crypto"}  # parts of one library
PRINTS = re.compile(r"\bstd::(?:cout|cerr|clog|exit|quick_exit|abort|terminate)\b"
                    r"|(?<![\w.>])(?:v?f?printf|f?puts|putchar|fputc)\s*\("
                    r"|\bfmt::print\b|::_?exit\s*\(|\bstdout\b|\bstderr\b|STD(?:OUT|ERR)_FILENO")
NETWORK = re.compile(r"#include <(?:sys/(?:socket|un)\.h|netinet/|arpa/|netdb\.h|curl/|boost/asio/ip|gloo/|hiredis/)")
ONEDNN = {"ops/gemm.cpp", "ops/instruction_sets.cpp"}  # the second limits oneDNN's instructions
# The first listens, the second is a connection, the third asks a server whether it is ready.
SERVER = {"serve/http_server.cpp", "serve/stream.h", "serve/probe.cpp"}
RANKS = {"parallel/group_gloo.cpp", "parallel/board_redis.cpp"}  # several processes of one start


def code_of(file):
    """The file without comments and texts."""
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', lambda m: m.group() if "/" in m.group() or ".h" in m.group() else '""',
                  file.read_text(encoding="utf-8"))
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def read_cmake(root):
    """The layers in CMake's order: {name: {"DEPS", "PUBLIC_LIBS", "PRIVATE_LIBS"}}."""
    layers = {}
    text = re.sub(r"#[^\n]*", "", (root / "CMakeLists.txt").read_text(encoding="utf-8"))
    for call in re.finditer(r"\bspanforge_layer\(([^)]*)\)", text):
        name, *words = call.group(1).split()
        lists = layers[name] = {"DEPS": [], "PUBLIC_LIBS": [], "PRIVATE_LIBS": []}
        if words[:1] in (["FAST"], ["LIGHT"]):
            del words[0]
        for word in words:
            if word in lists:
                current = lists[word]
            else:
                current.append(SAME.get(word, word))
    return layers


def read_table(root):
    """Rows of the table of layers: {folder: text of its last column}, top to bottom."""
    rows = re.findall(r"^\| `([\w/]+)` \|.*\| ([^|]*) \|$", (root / "docs/ARCHITECTURE.md").read_text(encoding="utf-8"), re.M)
    return dict(rows)


def read_sources(root, layers):
    """{layer: {file: code}}"""
    return {name: {str(file.relative_to(root / "src/spanforge")): code_of(file)
                   for file in sorted((root / "src/spanforge" / name).rglob("*.*")) if file.suffix in (".h", ".cpp")}
            for name in layers}


INCLUDE = re.compile(r'^\s*#include "spanforge/(\w+)/([^"]+)"', re.M)


def included_layers(name, sources):
    """The layers whose headers the files of this one include, directly or through a header of another layer."""
    seen, todo = set(), [(name, file) for file in sources[name]]
    while todo:
        layer, file = todo.pop()
        for other, header in INCLUDE.findall(sources.get(layer, {}).get(file, "")):
            one = (other, f"{other}/{header}")
            if one not in seen:
                seen.add(one)
                todo.append(one)
    return {layer for layer, _ in seen} - {name}


def problems(root, build=None):
    layers, table = read_cmake(root), read_table(root)
    folders = {path.name for path in (root / "src/spanforge").iterdir() if path.is_dir()}
    sources = read_sources(root, folders)
    if folders != set(layers):
        yield f"CMakeLists.txt and src/spanforge/ do not have the same layers: {sorted(folders ^ set(layers))}"
        return
    if list(table) != ["apps/spanforge", *reversed(layers)]:
        yield f"docs/ARCHITECTURE.md: the table's rows are {list(table)}, not CMake's layers from top to bottom"
    order = re.search(r"^## [^\n]*bottom to top\n(.*?)(?:^## |\Z)", (root / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    named = [name for name in re.findall(r"`(\w+)`", order.group(1)) if name in layers] if order else []
    if named != list(layers):
        yield f"README.md: 'bottom to top' names {named}, CMake's order is {list(layers)}"
    if table.get("apps/spanforge") != "everything":
        yield "docs/ARCHITECTURE.md: apps/spanforge may include everything"

    below = {}  # layer: all layers it reaches
    for name, lists in layers.items():
        if above := [dep for dep in lists["DEPS"] if dep not in below]:
            yield f"CMakeLists.txt: {name} depends on {above}, not below it"
        below[name] = set(lists["DEPS"]).union(*(below.get(dep, set()) for dep in lists["DEPS"]))
        text = "\n".join(sources[name].values())
        included = included_layers(name, sources)
        if included != set(lists["DEPS"]):
            yield f"CMakeLists.txt: {name}'s DEPS and its includes differ in {sorted(included ^ set(lists['DEPS']))}"
        row = table.get(name, "")
        if (set() if row == "nothing" else set(row.split(", "))) != included:
            yield f"docs/ARCHITECTURE.md: {name} includes {', '.join(sorted(included)) or 'nothing'}; its row says {row}"

        if not any((root / "tests" / name).glob("*_test.cpp")):
            yield f"tests/{name}/ has no tests of the layer {name}"
        own = lists["PUBLIC_LIBS"] + lists["PRIVATE_LIBS"]
        inherited = [lib for dep in below[name] for lib in layers.get(dep, lists)["PUBLIC_LIBS"]]
        if unknown := [lib for lib in own if lib not in HEADERS]:
            yield f"CMakeLists.txt: {name} links {unknown}, whose headers this check does not know"
        for lib, begin in HEADERS.items():
            used = f"#include <{begin}" in text or lib == "OpenMP::OpenMP_CXX" and "#pragma omp" in text
            if used and lib not in own and lib not in inherited:
                yield f"CMakeLists.txt: {name} includes <{begin}...> and is not linked with {lib}"
            if not used and lib in own:
                yield f"CMakeLists.txt: {name} is linked with {lib} and includes none of its headers"
        for file, code in sources[name].items():
            for match in PRINTS.finditer(code):
                yield f"src/spanforge/{file}: {match.group().strip('( ')}: only the program prints or exits"
            if "dnnl::" in code and file not in ONEDNN:
                yield f"src/spanforge/{file}: uses oneDNN without gemm.h"
            if NETWORK.search(code) and name != "hub" and file not in SERVER | RANKS:
                yield f"src/spanforge/{file}: only hub reaches the network"
            for match in re.finditer(r"catch \((?:const )?(\w+)::(\w+)", code):
                space = match.group(1)
                if match.group(0).endswith("std::exception"):
                    yield f"src/spanforge/{file}: catches std::exception, which only main() does"
                if space.islower() and space not in ("std", "fs", "spanforge") and f"#include <{space}" not in text:
                    yield f"src/spanforge/{file}: catches {space}::{match.group(2)}, whose headers {name} does not include"
    for file in sorted((root / "apps/spanforge").glob("*.cpp")):
        if NETWORK.search(code_of(file)) and file.name != "versions.cpp":  # it prints libcurl's version
            yield f"apps/spanforge/{file.name}: only hub reaches the network"
        if re.search(r"catch \(const std::exception&", code_of(file)) and file.name != "run_program.cpp":
            yield f"apps/spanforge/{file.name}: catches std::exception, which only main() does"
    if build:
        rows = {name: set(lists["DEPS"]) for name, lists in layers.items()}
        yield from wide_roots(root, build, rows)
        yield from compiled_plants(root, build, rows, sources)


def layer_of(file, root, rows):
    """The layer of this source, or of these sources compiled together; None if it is not a layer's."""
    if file.is_relative_to(root / "src/spanforge"):
        return file.relative_to(root / "src/spanforge").parts[0]
    several = re.search(r"/spanforge_(\w+)\.dir/Unity/", str(file))
    return several.group(1) if several and several.group(1) in rows else None


def wide_roots(root, build, rows):
    """Include roots of layers that the row does not name, in the commands CMake wrote."""
    seen = set()
    for command in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        file = pathlib.Path(command["file"])
        name = layer_of(file, root, rows)
        if name is None:
            continue
        seen.add(name)
        for word in shlex.split(command["command"]):
            if word.startswith("-I") or word.startswith("/"):
                path = pathlib.Path(word.removeprefix("-I"))
                if path == root / "src" or path.parent == build / "include" and path.name not in rows[name] | {name}:
                    yield f"{file.name} of {name} is compiled with the include root {path}"
    if missing := {name for name in rows if list((root / "src/spanforge" / name).glob("*.cpp"))} - seen:
        yield f"compile_commands.json has no file of {sorted(missing)}"


def compiled_plants(root, build, rows, sources):
    """Asks the compiler, with each layer's include roots, which layers' headers it finds."""
    headers = {name: min(file for file in sources[name] if file.endswith(".h")) for name in rows}
    source = "".join(f'#if __has_include("spanforge/{header}")\n{name}\n#endif\n' for name, header in headers.items())
    asked = set()
    for command in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        name = layer_of(pathlib.Path(command["file"]), root, rows)
        if name is None or name in asked:
            continue
        asked.add(name)
        words = shlex.split(command["command"])
        compiler = next(word for word in words if re.search(r"(?:\+\+|/cc|clang)[-\d.]*$", word))
        found = subprocess.run([compiler, "-E", "-P", "-x", "c++", *(word for word in words if word.startswith("-I")), "-"],
                               input=source, text=True, capture_output=True, check=True).stdout.split()
        if wrong := set(found) ^ (rows[name] | {name}):
            yield f"what the compiler finds for {name} and its row differ in {sorted(wrong)}"


CHECKOUT = {
    "CMakeLists.txt": "spanforge_layer(low PUBLIC_LIBS fmt::fmt)\n# spanforge_layer(none)\n"
                      "spanforge_layer(high FAST DEPS low PRIVATE_LIBS ZLIB::ZLIB)\nspanforge_layer(top DEPS low high)\n",
    "docs/ARCHITECTURE.md": "| folder | job | may include |\n|---|---|---|\n| `apps/spanforge` | x | everything |\n"
                            "| `top` | x | high, low |\n| `high` | x | low |\n| `low` | x | nothing |\n",
    "README.md": "## The code, bottom to top\n`low` a -> `high` b -> `top`\n\n## More\n`low`\n",
    "src/spanforge/low/a.h": "#include <fmt/core.h>\n#include <string>\n// printf(\n",
    "src/spanforge/high/a.cpp": '#include <zlib.h>\n#include "spanforge/high/b.h"\n#include "spanforge/low/a.h"\n',
    "src/spanforge/high/rows/a.cpp": '#include "spanforge/high/b.h"\n',
    "src/spanforge/top/a.cpp": '#include <fmt/core.h>\n#include "spanforge/low/a.h"\n#include "spanforge/high/a.h"\n'
                               'void f() { g("printf(3)"); }\n',
    **{f"tests/{name}/a_test.cpp": "TEST" for name in ("low", "high", "top")},
    "apps/spanforge/run_program.cpp": "try {} catch (const std::exception& e) {}",
}
# A file, a change in it, and what the check must report.
PLANTED = [
    ("src/spanforge/low/a.h", "#include <string>", '#include "spanforge/high/a.h"', ["low's DEPS", "low includes high"]),
    ("src/spanforge/high/rows/a.cpp", "high/b.h", "top/b.h", ["high's DEPS", "high includes low, top"]),
    ("src/spanforge/top/a.cpp", '#include "spanforge/low/a.h"', "", ["top's DEPS", "top includes high"]),
    ("CMakeLists.txt", "top DEPS low high", "top DEPS high", ["top's DEPS"]),
    ("CMakeLists.txt", "top DEPS low high", "top DEPS low high apps", ["not below it", "top's DEPS"]),
    ("CMakeLists.txt", "PRIVATE_LIBS ZLIB::ZLIB", "PRIVATE_LIBS ZLIB::ZLIB CURL::libcurl", ["includes none"]),
    ("CMakeLists.txt", "PRIVATE_LIBS ZLIB::ZLIB", "", ["is not linked with ZLIB"]),
    ("CMakeLists.txt", "PRIVATE_LIBS ZLIB::ZLIB", "PRIVATE_LIBS ZLIB::ZLIB X::x", ["does not know"]),
    ("CMakeLists.txt", "spanforge_layer(top DEPS low high)", "", ["do not have the same layers"]),
    ("docs/ARCHITECTURE.md", "| high, low |", "| high |", ["its row says high"]),
    ("docs/ARCHITECTURE.md", "| nothing |", "| top |", ["its row says top"]),
    ("docs/ARCHITECTURE.md", "| `high` | x | low |\n", "", ["the table's rows", "its row says"]),
    ("docs/ARCHITECTURE.md", "everything", "most", ["may include everything"]),
    ("README.md", "-> `top`", "", ["bottom to top"]),
    ("README.md", "## The code, bottom to top", "## The code", ["bottom to top"]),
    ("src/spanforge/top/a.cpp", "void f() {", "void f() { std::printf(x);", ["only the program prints"]),
    ("src/spanforge/top/a.cpp", "void f() {", "void f() { std::cerr << 1;", ["only the program prints"]),
    ("src/spanforge/top/a.cpp", "void f() {", "void f() { ::_exit(1);", ["only the program prints"]),
    ("src/spanforge/top/a.cpp", "void f() {", "#include <sys/socket.h>\nvoid f() {", ["only hub reaches"]),
    ("src/spanforge/top/a.cpp", "void f() {", "#include <hiredis/hiredis.h>\nvoid f() {", ["only hub reaches", "not linked with hiredis"]),
    ("src/spanforge/top/a.cpp", "void f() {", "void f() { dnnl::matmul();", ["uses oneDNN"]),
    ("apps/spanforge/run_program.cpp", "try", "#include <netdb.h>\ntry", ["only hub reaches"]),
    ("src/spanforge/top/a.cpp", "void f() {", "try {} catch (const toml::parse_error&) {} void f() {", ["catches toml"]),
    ("src/spanforge/top/a.cpp", "void f() {", "try {} catch (const std::exception& e) {} void f() {", ["only main()"]),
]


def self_test():
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder, "checkout")
        for file, old, new, wanted in [("README.md", "x", "x", []), *PLANTED]:
            shutil.rmtree(root, ignore_errors=True)
            for name, text in CHECKOUT.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text.replace(old, new) if name == file else text)
            found = list(problems(root))
            if len(found) != len(wanted) or not all(any(w in line for line in found) for w in wanted):
                bad.append(f"{file}, {old!r} -> {new!r}: wanted {wanted}, found {found}")
        build = root / "build"
        build.mkdir()
        for roots, count in {"low high": 0, "low high top": 1, "low": 0}.items():
            words = " ".join(f"-I{build}/include/{name}" for name in roots.split())
            for source in ("src/spanforge/{}/a.cpp", "build/CMakeFiles/spanforge_{}.dir/Unity/unity_0_cxx.cxx"):
                commands = [{"file": f"{root}/{source.format(name)}", "command": f"c++ {words if name == 'high' else ''} x.cpp"}
                            for name in ("high", "top")]
                (build / "compile_commands.json").write_text(json.dumps(commands))
                found = list(wide_roots(root, build, {"low": set(), "high": {"low"}, "top": {"low", "high"}}))
                if len(found) != count:
                    bad.append(f"roots {roots} of {source}: {found}")
        bad += self_test_of_plants(pathlib.Path(folder, "planted"))
    return bad


def self_test_of_plants(root):
    """A layer with one root too many, and one with too few."""
    build, rows = root / "build", {"low": set(), "high": {"low"}, "top": {"high"}}
    for name in rows:
        (build / "include" / name / "spanforge" / name).mkdir(parents=True)
        (build / "include" / name / "spanforge" / name / "a.h").write_text("")
    sources = {name: {f"{name}/a.h": ""} for name in rows}
    for roots, count in {"top high": 0, "top high low": 1, "top": 1}.items():
        words = " ".join(f"-I{build}/include/{name}" for name in roots.split())
        command = {"file": f"{root}/src/spanforge/top/a.cpp", "command": f"c++ {words} -c a.cpp"}
        (build / "compile_commands.json").write_text(json.dumps([command]))
        found = list(compiled_plants(root, build, rows, sources))
        if len(found) != count:
            yield f"roots {roots} of top: {found}"


def main():
    if sys.argv[1:] == ["--self-test"]:
        found = self_test()
    else:
        found = list(problems(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[3]).resolve() if sys.argv[2:] else None))
    if found:
        sys.exit("\n".join(found))


main()
