"""Gives e2e_runner commands that break their checks: it must fail for each, and pass the good one.

Usage: check_runner.py E2E_RUNNER
"""
import pathlib
import subprocess
import sys
import tempfile

COMMAND = """file given.txt
one
----
run echo '{"a": [1, 2], "b": 0.5}'; echo wrong >&2; cp given.txt same.txt; exit 3
"""
SOUND = ["exit 3", "error ^wrong$", "stdout \"a\"", "stdout! none", "stderr wrong", "stderr! none", "lines 1",
         'json /a == [1, 2]', "json /a is array", "json \"\" has a b", "json 0 /a size 2", "json /b >= 0.5",
         "json /b <= 0.5", "exists same.txt", "absent none.txt", "same given.txt same.txt"]
# Each fails alone. Those without "exit 3" before them do not check the exit code.
WRONG = ["exit 0", "error ^other$", "stdout none", "stdout! \"a\"", "stderr none", "stderr! wrong", "lines 2",
         "json /a == [1]", "json /c == 1", "json /a is object", "json \"\" has a c", "json 0 /a size 3", "json 1 /a size 2",
         "json /b >= 0.6", "json /b <= 0.4", "json /b", "exists none.txt", "absent same.txt", "same given.txt none.txt",
         "unknown word"]


def main():
    runner, bad = sys.argv[1], []
    with tempfile.TemporaryDirectory() as folder:
        test = pathlib.Path(folder, "planted.test")
        head = COMMAND + "exit 3\n"
        rows = [("the sound checks", COMMAND + "\n".join(SOUND), 0), ("an exit code nobody speaks of", COMMAND, 1),
                ("no command", "# nothing\n", 1), ("an empty file", "", 1), ("two lines of error", head.replace("wrong", "'a\nb'") + "error a\n", 1)]
        rows += [(check, head + check + "\n", 1) for check in WRONG]
        for name, text, wanted in rows:
            test.write_text(text)
            result = subprocess.run([runner, folder, folder, str(test)], capture_output=True, text=True)
            if result.returncode != wanted:
                bad.append(f"{name}: exit {result.returncode}, not {wanted}\n{result.stdout}{result.stderr}")
    if bad:
        sys.exit("\n".join(bad))


main()
