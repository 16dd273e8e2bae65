"""Puts into a wheel the licences of all that is compiled or copied into it, from the packages that it came from.

Usage: add_licences.py WHEEL CMAKE_FOLDER ONEDNN OUT

The shared libraries are those that auditwheel put into spanforge.libs/; ninja knows every header that was included
(CMAKE_FOLDER). dpkg says whose file each is. A file that belongs to no package ends this with an error.
check.py says whether the result is complete, without knowing how it was made.
"""
import base64
import csv
import hashlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

# Their headers declare what the system has: nothing of them is in the wheel.
SYSTEM = {"libc6-dev", "linux-libc-dev", "libcrypt-dev"}
COMMON = "/usr/share/common-licenses/"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def packages_of(files):
    """The Debian packages of files, which may be registered below /lib or /usr/lib."""
    found = {}
    for file in files:
        real = str(pathlib.Path(file).resolve())
        for name in (file, real, real.removeprefix("/usr"), "/usr" + real):
            answer = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True)
            if answer.returncode == 0:
                found[file] = answer.stdout.split(":")[0]
                break
        else:
            sys.exit(f"add_licences.py: {file} belongs to no package")
    return found


def included_headers(cmake_folder):
    """Those of others: not the checkout's, but for what pip has put into an environment in there."""
    lines = {line.strip() for line in run("ninja", "-C", cmake_folder, "-t", "deps").splitlines() if line.startswith("    ")}
    paths = {os.path.normpath(cmake_folder.resolve() / line) for line in lines}  # ccache makes some relative
    return {path for path in paths if "/site-packages/" in path or not path.startswith(str(pathlib.Path.cwd()))}


def debian_licence(package):
    text = pathlib.Path("/usr/share/doc", package, "copyright").read_text(encoding="utf-8", errors="replace")
    for name in sorted(set(re.findall(COMMON + r"([A-Za-z0-9.+-]*[A-Za-z0-9])", text))):
        text += f"\n\n{'=' * 78}\n{COMMON}{name}\n{'=' * 78}\n\n"
        text += pathlib.Path(COMMON, name).read_text(encoding="utf-8", errors="replace")
    return text


def collect(libraries, cmake_folder, onednn):
    """{file name: text} of the licences, and lines that say what each is for."""
    texts, lines = {}, []
    sonames = {library: re.sub(r"-[0-9a-f]{8,}(?=\.so)", "", library) for library in libraries}
    # A library in a wheel has the name of the file, not that of the link to it.
    paths = {}
    for path in re.findall(r" => (\S+)$", run("/sbin/ldconfig", "-p"), re.M):
        paths[pathlib.Path(path).name] = paths[pathlib.Path(path).resolve().name] = path
    for library, soname in sorted(sonames.items()):
        if soname.startswith("libdnnl"):
            texts["oneDNN.txt"] = "\n\n".join((onednn / "licenses" / name).read_text(encoding="utf-8")
                                              for name in ("LICENSE", "THIRD-PARTY-PROGRAMS"))
            lines.append(f"{library}: oneDNN.txt")
            continue
        package = packages_of([paths[soname]])[paths[soname]]
        texts[package + ".txt"] = debian_licence(package)
        lines.append(f"{library}: {package}.txt")
    headers = included_headers(cmake_folder)
    python = {header for header in headers if re.search(r"/include/python3\.\d+/", header)}
    if bindings := sorted(h for h in headers if "/site-packages/nanobind/" in h):
        packages = pathlib.Path(re.match(r".*/site-packages", bindings[0]).group())
        file, = packages.glob("nanobind-*.dist-info/licenses/LICENSE")
        texts["nanobind.txt"] = file.read_text(encoding="utf-8")
        # It is in there, with its licence at the beginning.
        robin_map = packages / "nanobind/ext/robin_map/include/tsl/robin_map.h"
        texts["robin_map.txt"] = robin_map.read_text(encoding="utf-8").partition("*/")[0]
        lines += [f"headers of {name}: {name}.txt" for name in ("nanobind", "robin_map")]
    others = {h for h in headers - python if "/site-packages/" not in h and str(onednn) not in h}
    # One file a folder is enough: dpkg is slow, and a folder below /usr/include is one package's, but for /usr/include.
    samples = {h if pathlib.Path(h).parent == pathlib.Path("/usr/include") else str(pathlib.Path(h).parent): h for h in others}
    for package in sorted(set(packages_of(samples.values()).values()) - SYSTEM):
        texts[package + ".txt"] = debian_licence(package)
        lines.append(f"headers of {package}: {package}.txt")
    return texts, lines


def main():
    wheel, cmake_folder, onednn, out = map(pathlib.Path, sys.argv[1:])
    source = zipfile.ZipFile(wheel)
    record, = [name for name in source.namelist() if name.endswith(".dist-info/RECORD")]
    folder = record.removesuffix("RECORD") + "licenses/"
    libraries = [pathlib.PurePath(n).name for n in source.namelist() if n.split("/")[0] == "spanforge.libs" and ".so" in n]
    texts, lines = collect(libraries, cmake_folder, onednn.resolve())
    texts = {"third_party/" + name: text for name, text in texts.items()}
    texts["third_party.txt"] = "What else is in this package, and the file with its licence in third_party/:\n\n" + \
        "".join(line + "\n" for line in lines)
    rows = list(csv.reader(io.StringIO(source.read(record).decode())))
    epoch = min(info.date_time for info in source.infolist())
    target = out / wheel.name
    with zipfile.ZipFile(target.with_suffix(".part"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as result:
        def write(name, data, mode=0o644):
            info = zipfile.ZipInfo(name, epoch)
            info.external_attr, info.compress_type = (0o100000 | mode) << 16, zipfile.ZIP_DEFLATED
            result.writestr(info, data, compresslevel=9)
        for info in source.infolist():
            data = source.read(info)
            if info.filename == record or info.is_dir():
                continue
            if info.filename.endswith(".dist-info/METADATA"):
                head, blank, body = data.partition(b"\n\n")
                data = head + b"".join(b"\nLicense-File: " + name.encode() for name in sorted(texts)) + blank + body
                rows = [row for row in rows if row[0] != info.filename] + [record_row(info.filename, data)]
            write(info.filename, data, (info.external_attr >> 16) & 0o777 or 0o644)
        for name, text in sorted(texts.items()):
            data = text.encode()
            write(folder + name, data)
            rows.append(record_row(folder + name, data))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(sorted(rows))
        write(record, text.getvalue().encode())
    shutil.move(target.with_suffix(".part"), target)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {len(libraries)} libraries, {len(texts) - 1} licences")


def record_row(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [name, "sha256=" + digest, str(len(data))]


main()
