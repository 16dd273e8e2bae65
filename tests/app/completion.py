"""Completion in the shells themselves, and what the manual pages say, against the table of commands.

Usage: completion.py --bin DIR | --self-test
bash is always tried; zsh and fish if they are installed. Prints what differs and exits 1.
"""
import argparse
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BASH = """
source {script}
COMP_WORDS=({words}) COMP_CWORD={last}
_spanforge
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
# A terminal of its own, in which Tab lists all matches.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PROMPT=; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; zstyle ":completion:*" verbose no'
zpty -w shell 'compadd() {{ local -a found; if (( ! ${{argv[(I)-[OAD]]}} )) {{ builtin compadd -A found "$@"; print -rl -- "M:"$^found }}; builtin compadd "$@" }}'
zpty -w shell 'print READY'
zpty -r -m shell line '*READY*READY*'
zpty -n -w shell {words}$'\\t'
sleep 1
zpty -n -w shell $'\\C-u'
zpty -w shell 'print DONE'
zpty -r -m shell line '*DONE*DONE*'
print -r -- $line
"""


def run(command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, **more).stdout


class Shells:
    def __init__(self, program, folder):
        self.folder, self.missing = folder, []
        self.scripts = {}
        for shell, name in (("bash", "spanforge"), ("zsh", "_spanforge"), ("fish", "spanforge.fish")):
            if shutil.which(shell) is None:
                self.missing.append(shell)
                continue
            self.scripts[shell] = folder / name
            self.scripts[shell].write_text(run([program, "help", "--completion", shell]))

    def complete(self, shell, line):
        """The words offered at the end of line."""
        script = self.scripts[shell]
        words = line.split(" ")
        if shell == "bash":
            quoted = " ".join(f"'{w}'" for w in words)
            out = run(["bash", "-c", BASH.format(script=script, words=quoted, last=len(words) - 1)], cwd=self.folder)
        elif shell == "fish":
            out = run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], cwd=self.folder)
            return {row.split("\t")[0] for row in out.splitlines()}
        else:
            out = run(["zsh", "-f", "-c", ZSH.format(folder=script.parent, words=f"'{line}'")], cwd=self.folder)
            return set(re.findall(r"M:(\S+)", out))
        return set(out.split())


def table(program):
    """{command: {option: its words, or None}} of the reference page."""
    commands, command = {}, None
    for line in run([program, "help", "--markdown"]).splitlines():
        if line.startswith("## spanforge "):
            command = commands.setdefault(line.removeprefix("## spanforge "), {})
        elif found := re.match(r"\| `(--[a-z0-9-]+)` \| [^|]+ \| (.*?) (?<!\\)\|", line):
            words = found[2].replace("\\|", "|").split(",")[0].split(" ")[0]
            command[found[1]] = set(words.split("|")) if "|" in words else None if found[2] != "switch" else set()
    return commands


def check_shell(shells, shell, commands):
    faults, cases = [], []

    def expect(line, wanted, exact=False):
        cases.append((line, wanted, exact))

    first = {name.split(" ")[0] for name in commands}
    expect("spanforge ", first)
    expect("spanforge d", {w for w in first if w.startswith("d")}, exact=True)
    group = {name.split(" ")[1] for name in commands if name.startswith("data ")}
    expect("spanforge data ", group)
    for name, options in commands.items():
        if options:
            expect(f"spanforge {name} --", set(options))
        for option, words in options.items():
            if words and option != "--completion":
                expect(f"spanforge {name} {option} ", words)
                break
    (shells.folder / "a-file.json").write_text("")
    expect("spanforge data check a-f", {"a-file.json"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for (line, wanted, exact), found in zip(cases, pool.map(lambda case: shells.complete(shell, case[0]), cases)):
            if not (found == wanted if exact else wanted <= found):
                faults.append(f"{shell}: \"{line}\" offers {sorted(found)}, not {sorted(wanted)}")
    return faults


def check_manual(program, folder, commands):
    run([program, "help", "--man-pages", folder / "man"])
    pages = {path.name: path.read_text() for path in (folder / "man").iterdir()}
    wanted = {"spanforge.1"} | {f"spanforge-{name.replace(' ', '-')}.1" for name in commands}
    faults = [] if set(pages) == wanted else [f"pages {sorted(pages)}, not {sorted(wanted)}"]
    for name, options in commands.items():
        page = pages.get(f"spanforge-{name.replace(' ', '-')}.1", "")
        faults += [f"the page of {name} lacks {option}" for option in options if option.replace("-", "\\-") not in page]
    if shutil.which("groff"):
        for name, page in pages.items():
            done = subprocess.run(["groff", "-Kutf8", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True, check=False)
            faults += [f"{name}: {line}" for line in done.stderr.splitlines()[:1]]
    return faults


def check(program, change=lambda text: text):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        commands = table(program)
        shells = Shells(program, folder)
        faults = check_manual(program, folder, commands)
        for shell, script in shells.scripts.items():
            script.write_text(change(script.read_text()))
            faults += check_shell(shells, shell, commands)
        return faults, shells.missing


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    program = options.bin.resolve() / "spanforge"
    if options.self_test:
        faults, _ = check(program, lambda text: text.replace("window-overlap", "window-overlay"))
        if not any("--window-overlap" in fault for fault in faults):
            sys.exit("an option that is missing is not noticed")
        return
    faults, missing = check(program)
    if missing:
        print(f"not installed, so not tried: {', '.join(missing)}")
    if faults:
        sys.exit("\n".join(faults))


main()
