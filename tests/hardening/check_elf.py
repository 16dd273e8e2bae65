#!/usr/bin/env python3
"""Reads programs' ELF files and fails unless they are hardened.

  check_elf.py PROGRAM...              each one: position independent, full RELRO, bound at start, no
                                       executable stack, no segment writable and executable, no text
                                       relocations, no search path of its own, stack protector, FORTIFY,
                                       libstdc++'s assertions, and no call that starts a command or loads code by name
  check_elf.py --self-test CXX --work DIR
                                       builds a hardened program, which must pass, and others that
                                       lack one thing each, which must fail for that thing alone
"""
import argparse
import pathlib
import struct
import subprocess
import sys

PT_LOAD, PT_DYNAMIC, PT_GNU_STACK, PT_GNU_RELRO = 1, 2, 0x6474E551, 0x6474E552
DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_RPATH, DT_TEXTREL, DT_RUNPATH = 5, 6, 10, 15, 22, 29
DT_FLAGS, DT_FLAGS_1, DT_BIND_NOW = 30, 0x6FFFFFFB, 24
DF_TEXTREL, DF_BIND_NOW, DF_1_NOW, DF_1_PIE = 4, 8, 1, 0x08000000
ET_DYN, EXECUTE, WRITE = 3, 1, 2
# execv is not among them, because spanforge restarts itself with it, in another environment.
STARTS_CODE = {"system", "popen", "fork", "vfork", "posix_spawn", "posix_spawnp", "execl", "execlp",
               "execle", "execve", "execvp", "execvpe", "fexecve", "dlopen", "dlmopen"}


class Elf:
    """Of a 64-bit little-endian file: its type, segments, dynamic entries and the names it imports."""

    def __init__(self, path):
        self.data = pathlib.Path(path).read_bytes()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path}: not a 64-bit little-endian ELF file")
        self.type, = struct.unpack_from("<H", self.data, 16)
        at, = struct.unpack_from("<Q", self.data, 32)
        size, count = struct.unpack_from("<HH", self.data, 54)
        # type, flags, offset, address, physical address, size in the file
        self.segments = [struct.unpack_from("<IIQQQQ", self.data, at + i * size) for i in range(count)]
        self.dynamic = {}
        for kind, _, offset, _, _, length in self.segments:
            if kind != PT_DYNAMIC:
                continue
            for tag, value in struct.iter_unpack("<QQ", self.data[offset:offset + length]):
                if tag == 0:
                    break
                self.dynamic.setdefault(tag, value)

    def segment(self, kind):
        return next((s for s in self.segments if s[0] == kind), None)

    def offset_of(self, address):
        for kind, _, offset, start, _, length in self.segments:
            if kind == PT_LOAD and start <= address < start + length:
                return offset + address - start
        raise ValueError(f"address {address:#x} is in no segment")

    def imports(self):
        """Names of the dynamic symbols, whose table ends where the strings begin."""
        if DT_SYMTAB not in self.dynamic:
            return set()
        strings = self.offset_of(self.dynamic[DT_STRTAB])
        table = self.data[strings:strings + self.dynamic[DT_STRSZ]]
        names = set()
        for at in range(self.offset_of(self.dynamic[DT_SYMTAB]), strings, 24):
            name, _, _, section = struct.unpack_from("<IBBH", self.data, at)
            if section == 0 and name:
                names.add(table[name:table.index(b"\0", name)].decode())
        return names


def lacks(path):
    """What a program lacks, as a list of words."""
    elf = Elf(path)
    flags, flags_1 = elf.dynamic.get(DT_FLAGS, 0), elf.dynamic.get(DT_FLAGS_1, 0)
    stack, imports = elf.segment(PT_GNU_STACK), elf.imports()
    has = {
        "pie": elf.type == ET_DYN and flags_1 & DF_1_PIE,
        "relro": elf.segment(PT_GNU_RELRO),
        "bind-now": flags & DF_BIND_NOW or flags_1 & DF_1_NOW or DT_BIND_NOW in elf.dynamic,
        "no-exec-stack": stack and not stack[1] & EXECUTE,
        "write-xor-execute": not any(
            s[0] == PT_LOAD and s[1] & EXECUTE and s[1] & WRITE for s in elf.segments),
        "no-text-relocations": DT_TEXTREL not in elf.dynamic and not flags & DF_TEXTREL,
        "no-rpath": DT_RPATH not in elf.dynamic and DT_RUNPATH not in elf.dynamic,
        "stack-protector": "__stack_chk_fail" in imports,
        "no-commands": not imports & STARTS_CODE,
        "fortify": any(n.startswith("__") and n.endswith("_chk") for n in imports),
        "assertions": any("glibcxx_assert_fail" in n for n in imports),
    }
    return [name for name, good in has.items() if not good]


PLANTED = r"""
#include <cstdio>
#include <cstring>
#include <string>
#ifdef COMMAND
#include <cstdlib>
#endif
int main(int argc, char** argv) {
#ifdef COMMAND
  if (argc > 9) std::system(argv[9]);
#endif
  char text[16];
  std::strcpy(text, argv[0] + argc);
  const std::string name(text);
  return std::printf("%s", text) < name[static_cast<unsigned char>(text[3])];
}
"""
HARDENED = ["-O2", "-fPIE", "-pie", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-D_GLIBCXX_ASSERTIONS",
            "-Wl,-z,relro,-z,now,-z,noexecstack", "-w"]
# What is lacking then, and the flags that make it so, after the hardened ones.
WITHOUT = {
    "pie": ["-fno-pie", "-no-pie"],
    "relro": ["-Wl,-z,norelro"],
    "bind-now": ["-Wl,-z,lazy"],
    "no-exec-stack": ["-Wl,-z,execstack"],
    "no-text-relocations": ["-DTEXT_RELOCATION", "-Wl,-z,notext"],
    "no-rpath": ["-Wl,-rpath,/tmp"],
    "stack-protector": ["-fno-stack-protector"],
    "fortify": ["-U_FORTIFY_SOURCE"],
    "assertions": ["-U_GLIBCXX_ASSERTIONS"],
    "no-commands": ["-DCOMMAND"],
}


def self_test(compiler, work):
    work.mkdir(parents=True, exist_ok=True)
    source = work / "planted.cpp"
    source.write_text(PLANTED + '#ifdef TEXT_RELOCATION\nasm(".text\\n.quad main\\n");\n#endif\n')
    bad = 0
    for what, flags in [(None, []), *WITHOUT.items(), ("write-xor-execute", [])]:
        program = work / f"without-{what or 'nothing'}"
        subprocess.run([compiler, *HARDENED, *flags, str(source), "-o", str(program)], check=True)
        if what == "write-xor-execute":
            make_code_writable(program)
        found = lacks(program)
        good = found == ([] if what is None else [what])
        bad += not good
        print(f"{'' if good else 'FAILED '}without {what or 'nothing'}: lacks {found}")
    return bad


def make_code_writable(program):  # no flag of the linker does that and nothing else
    data = bytearray(program.read_bytes())
    at, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for header in range(at, at + count * size, size):
        kind, flags = struct.unpack_from("<II", data, header)
        if kind == PT_LOAD and flags & EXECUTE:
            struct.pack_into("<I", data, header + 4, flags | WRITE)
    program.write_bytes(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="*")
    parser.add_argument("--self-test", metavar="CXX")
    parser.add_argument("--work", type=pathlib.Path)
    given = parser.parse_args()
    if given.self_test:
        return 1 if self_test(given.self_test, given.work) else 0
    if not given.programs:
        parser.error("no program given")
    bad = 0
    for program in given.programs:
        missing = lacks(program)
        bad += bool(missing)
        print(f"{program}: {'lacks ' + ', '.join(missing) if missing else 'hardened'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
