#!/usr/bin/env python3
"""The program in difficult surroundings: links, odd names, directories that may not be
read or written, full disks, small limits, no home, no terminal, no working directory.

Each case ends as it should: like an undisturbed run, or with the exit code and the one line of its
table, and with nothing half-written.

  surroundings.py --bin build/release/bin [--only PART]

As root, cases of permissions run as the user nobody, and full disks are small file systems in memory;
as another user, permissions are tested as that user, and full disks are skipped with a note.
"""
import contextlib
import fcntl
import json
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

from lab import (PATIENCE, Program, begin, damage, expect, expect_same, expect_whole, make_inputs,
                 parser_of, published, result_of, run_cases, sha256, training)

RESUME = ("--resume-from-checkpoint", "last")
ROOT = os.geteuid() == 0
NOBODY = 65534
MB = 1 << 20

ODD_NAMES = {
    "spaces": b" a  b ",
    "a newline": b"a\nb",
    "quotes": b"it's \"so\"",
    "a leading dash": b"-x",
    "two leading dashes": b"--seed",
    "bytes that are no UTF-8": b"\xff\xfe\x80",
    "emoji": "🦊模型é".encode(),
    "255 bytes": b"n" * 255,
    "what formats and shells expand": b"{}%s$HOME*`\\",
    "an equals sign": b"a=b",
    "a tab and a bell": b"a\t\a",
}


def limit(kind, value):
    return lambda: resource.setrlimit(kind, (value, value))


def as_nobody():
    if ROOT:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def essence(result):
    """The content that does not name files: weights, moments, log, scalars."""
    kept = ("model.safetensors", "optimizer.pt", "vocab.txt")
    return {"names": result["names"],
            "directories": {name: {file: value for file, value in files.items() if file in kept}
                            for name, files in result["directories"].items()},
            "log": result["log"],
            "events": [event for event in result["events"] if event[1] not in ("args", "args/text_summary")]}


class Surroundings:
    def __init__(self, program, work, starve):
        self.program, self.work, self.serial, self.starve = program, work, 0, starve
        self.inputs = work / "inputs"
        make_inputs(program, self.inputs)
        self.whole = self.fresh()
        program.must(training(), self.whole)
        self.reference = result_of(self.whole / "run")
        self.program.must(self.evaluating(), self.whole)
        self.predictions = self.predictions_of(self.whole / "predictions")

    # --- Parts of the cases ---

    def fresh(self, source=None):
        self.serial += 1
        directory = self.work / f"case-{self.serial}"
        shutil.copytree(source or self.inputs, directory, symlinks=True)
        return directory

    def evaluating(self, model="run/trained", data="validation.json", to="predictions"):
        return ["evaluate", f"--model={model}", f"--data={data}", f"--predictions-dir={to}",
                "--threads", 1, "--json"]

    def predictions_of(self, directory):
        found = {p.name: p.read_bytes() for p in directory.iterdir()}
        expect(len(found) == 5, f"{sorted(found)} instead of five files")
        return found

    def succeeds(self, directory, arguments, output="run", whole=True, **how):
        status, _, err = self.program.run(arguments, directory, **how)
        expect(status == 0, f"exit {status}: {err.strip()}")
        expect_whole(pathlib.Path(directory, output))
        found = result_of(pathlib.Path(directory, output))
        if whole:
            expect_same(found, self.reference)
        else:
            expect_same(essence(found), essence(self.reference))
        return err

    def refused(self, directory, arguments, code, *words, leaves=None, **how):
        """One line with all the words, and everything in `leaves` is unchanged."""
        before = tree(directory)
        status, _, err = self.program.run(arguments, directory, **how)
        expect(status == code, f"exit {status}, not {code}: {err.strip()}")
        lines = err.splitlines()
        expect(lines and lines[-1].startswith("spanforge: "), f"says {err!r}")
        expect(sum(line.startswith("spanforge: ") for line in lines) == 1, f"not one line: {err!r}")
        for word in words:
            expect(word in lines[-1], f"{word!r} is not in {lines[-1]!r}")
        if leaves is None:
            expect(len(lines) == 1, f"not one line: {err!r}")
            expect_same(tree(directory), before)
        return lines[-1]

    # --- Links ---

    def linked_output(self):
        directory = self.fresh()
        (directory / "elsewhere").mkdir()
        (directory / "run").symlink_to("elsewhere")
        self.succeeds(directory, training())
        expect((directory / "run").is_symlink(), "the link is gone")
        self.program.must(training(*RESUME), directory)

    def linked_inputs(self):
        """As a hub's cache has them: every file a link, the directory, too."""
        directory = self.fresh()
        (directory / "blobs").mkdir()
        for path in [*(directory / "fresh").iterdir(), directory / "train.json", directory / "validation.json"]:
            path.rename(directory / "blobs" / path.name)
            path.symlink_to(os.path.relpath(directory / "blobs" / path.name, path.parent))
        (directory / "fresh").rename(directory / "snapshot")
        (directory / "fresh").symlink_to("snapshot")
        self.succeeds(directory, training())

    def linked_checkpoint(self):
        """A checkpoint moved to another place and replaced by a link; rotation removes only the link."""
        directory = self.fresh()
        self.program.must(training(steps=6, every=3), directory)
        for name in ("checkpoint-3", "checkpoint-6"):
            if (directory / "run" / name).exists():
                (directory / "run" / name).rename(directory / name)
                (directory / "run" / name).symlink_to(f"../{name}")
        again = training(*RESUME, "--max-steps", 12, "--allow-changed", "max-steps")
        self.program.must(again, directory)
        expect_whole(directory / "run")
        for name in ("checkpoint-3", "checkpoint-6"):
            if (directory / name).exists():
                expect((what := damage(directory / name)) is None, f"behind the link: {what}")

    def dangling_output(self):
        directory = self.fresh()
        (directory / "run").symlink_to("nowhere")
        self.refused(directory, training(), 74, "run")

    def looping_data(self):
        directory = self.fresh()
        (directory / "loop.json").symlink_to("loop.json")
        self.refused(directory, training("--train", "loop.json"), 74, "loop.json", "symbolic links")

    # --- Names ---

    def odd_name(self, name):
        try:
            name.decode()
        except UnicodeDecodeError:
            return self.odd_bytes(name)
        directory = self.fresh()
        at = os.fsencode(directory) + b"/"
        for source in (b"fresh", b"train.json"):
            os.rename(at + source, at + source[:1] + name[:254])
        model, data, output = b"f" + name[:254], b"t" + name[:254], name
        arguments = [os.fsencode(str(a)) for a in training()]
        for option, value in ((b"--model", model), (b"--train", data), (b"--output", output)):
            where = arguments.index(option)
            arguments[where:where + 2] = [option + b"=" + value]
        run = os.fsdecode(output)
        arguments = [os.fsdecode(a) for a in arguments]
        self.succeeds(directory, arguments, output=run, whole=False)
        self.program.must([*arguments, *RESUME], directory)  # it reads its own arguments

        # The other commands: files and directories of this name.
        to = os.fsdecode(name[:250]) + ".2"
        self.program.must(self.evaluating(model=f"{run}/trained", data=os.fsdecode(data), to=to), directory)
        self.predictions_of(directory / to)
        new, rows = os.fsdecode(name[:250]) + ".3", os.fsdecode(name[:250]) + ".4"
        self.program.must(["model", "convert", f"--model={os.fsdecode(model)}", f"--output={new}"], directory)
        self.program.must(["data", "convert", "--to=jsonl", f"--output={rows}", "--", os.fsdecode(data)], directory)
        split = os.fsdecode(name[:250]) + ".5"
        self.program.must(["data", "split", "--validation=0.3", f"--output={split}", "--", rows], directory)
        expect(sorted(os.listdir(directory / split)) == ["train.json", "validation.json"], "the split's files")

    def odd_bytes(self, name):
        """Printed and recorded text is UTF-8 and contains these names: a link helps."""
        directory = self.fresh(self.whole)
        odd = os.fsdecode(name)
        for what in ("model", "train", "validation", "output"):
            self.refused(directory, training(f"--{what}={odd}"), 2, f"--{what}", "not UTF-8")
        self.refused(directory, self.evaluating(to=odd), 2, "--predictions-dir", "not UTF-8")
        self.refused(directory, ["data", "split", "train.json", f"--output={odd}"], 2, "--output", "not UTF-8")
        shutil.rmtree(directory / "run")
        for link in ("fresh", "train.json"):
            (directory / link).rename(directory / (odd + link))
            (directory / link).symlink_to(odd + link)
        self.succeeds(directory, training())

    def odd_missing(self, name):
        directory = self.fresh()
        where = training()
        at = where.index("--train")
        where[at:at + 2] = [b"--train=" + name + b".json" if len(name) < 200 else b"--train=" + name[:250]]
        arguments = [os.fsdecode(a) if isinstance(a, bytes) else a for a in where]
        code, word = (2, "not UTF-8") if b"\xff" in name else (74, "No such file")
        self.refused(directory, arguments, code, word)

    # --- Permissions ---

    @contextlib.contextmanager
    def for_nobody(self, source=None):
        """A directory in which the user nobody may work, with a copy of the program, because nobody has no access here."""
        with tempfile.TemporaryDirectory(prefix="spanforge-surroundings-") as name:
            top = pathlib.Path(name)
            top.chmod(0o755)
            shutil.copy(self.program.binary, top / "spanforge")
            directory = top / "d"
            shutil.copytree(source or self.inputs, directory, symlinks=True)
            if ROOT:
                for path in [directory, *directory.rglob("*")]:
                    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
            mine, self.program = self.program, Program(top / "spanforge")
            try:
                yield directory
            finally:
                self.program = mine
                for path in [directory, *(p for p in directory.rglob("*") if not p.is_symlink())]:
                    path.chmod(0o755)

    def unprivileged(self):
        with self.for_nobody() as directory:
            self.succeeds(directory, training(), preexec_fn=as_nobody)

    def closed_parent(self):
        with self.for_nobody() as directory:
            directory.chmod(0o555)
            self.refused(directory, training(), 74, "run", "Permission denied", preexec_fn=as_nobody, leaves="notes")
            expect(not (directory / "run").exists(), "something was written")

    def closed_output(self):
        with self.for_nobody() as directory:
            (directory / "run").mkdir()
            (directory / "run").chmod(0o555)
            self.refused(directory, training(), 74, "run", "Permission denied", preexec_fn=as_nobody, leaves="notes")
            expect(not list((directory / "run").iterdir()), "something was written")

    def unreadable(self, what, code, *words):
        with self.for_nobody() as directory:
            (directory / what).chmod(0)
            self.refused(directory, training(), code, what, *words, preexec_fn=as_nobody)

    def closed_while_it_runs(self):
        """After the second checkpoint the output cannot be written any more."""
        with self.for_nobody() as directory:
            process = self.program.start(training(steps=100000, every=3), directory, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE, preexec_fn=as_nobody)
            while not published(directory / "run") and process.poll() is None:
                time.sleep(0.01)
            (directory / "run").chmod(0o555)
            _, err = process.communicate(timeout=PATIENCE)
            last = err.decode().splitlines()[-1]
            expect(process.returncode == 74 and "Permission denied" in last and "run/checkpoint-" in last,
                   f"exit {process.returncode}: {last}")
            (directory / "run").chmod(0o755)
            expect(published(directory / "run"), "no checkpoint is left")
            expect_whole(directory / "run")
            again = training(*RESUME, "--max-steps", 12, "--allow-changed", "max-steps",
                             "--save-steps", 3)
            status, _, err = self.program.run(again, directory, preexec_fn=as_nobody)
            expect(status == 0, f"the next start: exit {status}: {err.strip()}")
            expect_whole(directory / "run")

    def closed_checkpoint(self):
        """Going on from a checkpoint that may only be read, in another directory."""
        with self.for_nobody(self.whole) as directory:
            (directory / "run").rename(directory / "theirs")
            shutil.rmtree(directory / "theirs" / "trained")
            for path in [*(directory / "theirs").rglob("*"), directory / "theirs"]:
                path.chmod(0o555)
            newest = published(directory / "theirs")[-1].name
            status, _, err = self.program.run(
                training("--resume-from-checkpoint", f"theirs/{newest}"), directory, preexec_fn=as_nobody)
            expect(status == 0, f"exit {status}: {err.strip()}")
            expect_whole(directory / "run")

    def closed_predictions(self):
        with self.for_nobody(self.whole) as directory:
            shutil.rmtree(directory / "predictions")
            (directory / "predictions").mkdir()
            (directory / "predictions").chmod(0o555)
            self.refused(directory, self.evaluating(), 74, "predictions", "Permission denied", preexec_fn=as_nobody)

    # --- Directories for a model that are there already ---

    def filled(self, directory, output, to, **how):
        """A model made in an empty directory, which stays the same directory."""
        place = pathlib.Path(to, output)
        before = place.stat()
        line = ["model", "convert", "--model", directory / "fresh", "--output", output]
        status, _, err = self.program.run(line, to, **how)
        expect(status == 0, f"exit {status}: {err.strip()}")
        expect(sorted(os.listdir(place)) == sorted(os.listdir(directory / "fresh")), f"made {os.listdir(place)}")
        after = place.stat()
        for what in ("st_ino", "st_mode", "st_gid"):
            expect(getattr(after, what) == getattr(before, what), f"{what} is another")

    def filled_directory(self):
        directory = self.fresh()
        for name in ("own", "behind", "here"):
            (directory / name).mkdir()
            (directory / name).chmod(0o2750)
        self.filled(directory, "own", directory)
        (directory / "link").symlink_to("behind")
        self.filled(directory, "link/", directory)
        expect((directory / "link").is_symlink(), "the link is gone")
        self.filled(directory, ".", directory / "here")

    def filled_in_a_closed_parent(self):
        with self.for_nobody() as directory:
            (directory / "closed" / "own").mkdir(parents=True)
            if ROOT:
                os.chown(directory / "closed" / "own", NOBODY, NOBODY)
            (directory / "closed").chmod(0o555)
            self.filled(directory, "closed/own", directory, preexec_fn=as_nobody)

    def filled_mount(self):
        directory = self.fresh()
        with self.small_disk("2m", directory, "mount"):
            self.filled(directory, "mount", directory)

    # --- Home, environment, locale ---

    def environment(self, changes, **how):
        directory = self.fresh()
        env = self.program.environment()
        for name, value in changes.items():
            env.pop(name, None)
            if value is not None:
                env[name] = value
        self.succeeds(directory, training(), env=env, **how)

    def empty_environment(self):
        self.succeeds(self.fresh(), training(), env={"SPANFORGE_NONE": ""})

    def unreadable_home(self):
        with self.for_nobody() as directory:
            home = directory / "home"
            home.mkdir()
            home.chmod(0)
            env = {**self.program.environment(), "HOME": str(home)}
            status, _, err = self.program.run(training(), directory, env=env, preexec_fn=as_nobody)
            expect(status == 0, f"exit {status}: {err.strip()}")
            # A model that must come from a cache in this home.
            env["HF_HUB_OFFLINE"] = "1"
            arguments = training("--model", "nobody/nothing", "--output", "other")
            status, _, err = self.program.run(arguments, directory, env=env, preexec_fn=as_nobody)
            expect(status in (4, 74) and len(err.splitlines()) == 1 and "nobody/nothing" in err or str(home) in err,
                   f"exit {status}: {err!r}")

    def homeless_hub(self):
        env = self.program.environment()
        for name in ("HOME", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
            env.pop(name, None)
        env["HF_HUB_OFFLINE"] = "1"
        status, _, err = self.program.run(training("--model", "nobody/nothing"), self.fresh(), env=env)
        expect(status in (4, 74) and len(err.splitlines()) == 1, f"exit {status}: {err!r}")

    def damaged_cache(self):
        """A truncated file in the hub's cache: commands cannot notice, `download` does."""
        directory = self.fresh()
        repository = directory / "hub" / "models--org--name"
        snapshot = repository / "snapshots" / ("c" * 40)
        for path in (snapshot, repository / "blobs", repository / "refs"):
            path.mkdir(parents=True)
        (repository / "refs" / "main").write_text("c" * 40)
        for path in (directory / "fresh").iterdir():
            blob = repository / "blobs" / sha256(path.read_bytes())
            path.rename(blob)
            (snapshot / path.name).symlink_to(f"../../blobs/{blob.name}")
        env = {**self.program.environment(), "HF_HUB_CACHE": str(directory / "hub"), "HF_HUB_OFFLINE": "1"}
        status, out, err = self.program.run(["download", "org/name"], directory, env=env)
        expect((status, out) == (0, f"{snapshot}\n"), f"exit {status}: {out} {err}")
        blob = (snapshot / "model.safetensors").resolve()
        os.truncate(blob, 100)
        self.refused(directory, ["download", "org/name"], 4, "model.safetensors", f"delete {blob}", env=env)

    # --- Terminal, streams, signals' dispositions ---

    def full_stdout(self):
        """Standard output on a full disk: a training goes on, but an answer that is lost is an error."""
        with open("/dev/full", "wb") as full:
            directory = self.fresh(self.whole)
            process = self.program.start(training("--overwrite"), directory, stdout=full, stderr=subprocess.DEVNULL)
            expect(process.wait(PATIENCE) == 0, f"training: exit {process.returncode}")
            expect_same(result_of(directory / "run"), self.reference)
            process = self.program.start(self.evaluating(), directory, stdout=full, stderr=subprocess.PIPE)
            _, err = process.communicate(timeout=PATIENCE)
            expect(process.returncode == 74 and b"No space left" in err, f"evaluate: exit {process.returncode}: {err}")

    def without_terminal(self):
        self.succeeds(self.fresh(), training(), start_new_session=True)

    # --- Limits ---

    def small_files(self):
        """RLIMIT_FSIZE: the signal it raises must not kill the run."""
        directory = self.fresh()
        self.refused(directory, training(), 74, "run/checkpoint-3/", "File too large", leaves="notes",
                     preexec_fn=limit(resource.RLIMIT_FSIZE, 24 << 10))
        expect(not published(directory / "run"), "a checkpoint that cannot be whole")
        self.succeeds(directory, training(*RESUME))
        directory = self.fresh(self.whole)
        self.refused(directory, self.evaluating(), 74, "predictions/eval_", "File too large", leaves="notes",
                     preexec_fn=limit(resource.RLIMIT_FSIZE, 1 << 10))
        expect(self.predictions_of(directory / "predictions") == self.predictions, "the old files")

    def few_descriptors(self):
        """From none to enough: each run succeeds or says what it lacks."""
        seen = set()
        for count in range(4, 24):
            directory = self.fresh()
            status, _, err = self.program.run(training(), directory,
                                              preexec_fn=limit(resource.RLIMIT_NOFILE, count))
            seen.add(status)
            if status == 127:  # the system's loader cannot open the libraries
                continue
            last = err.splitlines()[-1] if err else ""
            expect(status in (0, 74), f"{count} descriptors: exit {status}: {last}")
            if status == 74:
                expect(last.startswith("spanforge: ") and "Too many open files" in last, f"{count}: says {last}")
                if (directory / "run").exists():
                    expect_whole(directory / "run")
                self.program.must(training(*RESUME), directory)
            expect_same(result_of(directory / "run"), self.reference)
            shutil.rmtree(directory)
        expect({0, 74} <= seen, f"only the exits {sorted(seen)} were seen")

    def little_memory(self):
        """RLIMIT_AS, from what the loader needs to enough: missing memory is reported, once."""
        seen = set()
        for megabytes in [*range(8, 128, 8), *range(128, 513, 64)]:
            directory = self.fresh()
            status, _, err = self.program.run(training(), directory,
                                              preexec_fn=limit(resource.RLIMIT_AS, megabytes * MB))
            # The loader, and libraries that it initialises, may end a process before main: oneDNN's tables end it
            # by the runtime's own handler, which main() replaces first of all.
            if status == 127 or (status == 1 and "GnuTLS initialization" in err and "libgomp: Out of memory" in err) \
                    or (status == -signal.SIGABRT and err == "terminate called without an active exception\n"):
                continue
            seen.add(status)
            last = err.splitlines()[-1] if err else ""
            expect(status in (0, 70, 74), f"{megabytes} MB: exit {status}: {err.strip()}")
            if status != 0:
                expect(last.startswith("spanforge: ") and "internal error" not in last and
                       any(word in last for word in ("memory", "temporarily unavailable")), f"{megabytes} MB: says {last}")
                if (directory / "run").exists():
                    expect_whole(directory / "run")
                self.program.must(training(*RESUME), directory)
            expect_same(result_of(directory / "run"), self.reference)
            shutil.rmtree(directory)
        expect(0 in seen and len(seen) > 1, f"only the exits {sorted(seen)} were seen")

    def terminal_obeys_no_text(self):
        """A terminal's control codes in a question from a file are shown, not obeyed."""
        directory = self.fresh(self.whole)
        question = "title \x1b]0;x\x07 clear \x1b[2J \x9b2J who\tand where?"
        (directory / "q.jsonl").write_text(json.dumps({"question": question, "context": "abc"}) + "\n")
        command = ["ask", "--model", "run/trained", "--input", "q.jsonl", "--threads", 1]
        expect(self.program.must(command, directory).startswith(question + "\n"), "a pipe gets other bytes")
        ours, terminal = os.openpty()
        process = self.program.start(command, directory, stdout=terminal, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=PATIENCE)
        os.close(terminal)
        shown = os.read(ours, 65536).decode()
        os.close(ours)
        expect(process.returncode == 0, f"exit {process.returncode}: {err}")
        expect(r"title \x1b]0;x\x07 clear \x1b[2J \x9b2J who" in shown and "\x1b" not in shown and "\x9b" not in shown,
               f"a terminal gets {shown!r}")

    def output_does_not_block(self):
        """A full pipe that another process made non-blocking: nothing is lost."""
        directory = self.fresh()
        command = ["data", "labels", "--model", "fresh", *["train.json"] * 8]
        wanted = self.program.must(command, directory)
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        process = self.program.start(command, directory, stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        time.sleep(0.5)  # until the pipe is full
        with os.fdopen(reading, "r", encoding="utf-8") as out:
            found = out.read()
        _, err = process.communicate(timeout=PATIENCE)
        expect(len(wanted) > 8192, f"only {len(wanted)} characters: the pipe is not full")
        expect(process.returncode == 0 and found == wanted, f"exit {process.returncode}, {len(found)} of {len(wanted)}: {err}")

    def refused_threads(self):
        """Room for some threads' stacks but not for all: spanforge reports it before OpenMP ends the process."""
        arguments = training()
        arguments[arguments.index("--threads") + 1] = 1000
        self.refused(self.fresh(), arguments, 74, "--threads", "cannot start 1000 threads",
                     preexec_fn=limit(resource.RLIMIT_AS, 2000 * MB))

    def fewer_threads_than_asked(self):
        """OpenMP's limits in the environment: the same numbers as one thread's, or a refusal; never those of
        work that was done in part."""
        for limits in ({"OMP_THREAD_LIMIT": "1"}, {"OMP_MAX_ACTIVE_LEVELS": "0"}):
            env = {**self.program.environment(), **limits}
            directory = self.fresh()
            arguments = training()
            arguments[arguments.index("--threads") + 1] = 0
            self.succeeds(directory, arguments, whole=False, env=env)
            evaluation = ["evaluate", "--model", "run/trained", "--data", "validation.json", "--json"]
            one = self.program.must([*evaluation, "--threads", 1], directory)
            status, out, err = self.program.run(evaluation, directory, env)
            expect(status == 0 and out == one, f"{limits}: exit {status}, {out} instead of {one}: {err}")
            status, _, err = self.program.run([*evaluation, "--threads", 2], directory, env)
            expect(status == 2 and "OMP_THREAD_LIMIT" in err and err.count("\n") == 1, f"{limits}: exit {status}: {err}")
            shutil.rmtree(directory)

    def private_umask(self):
        directory = self.fresh()
        self.succeeds(directory, training(), preexec_fn=lambda: os.umask(0o077))
        self.program.run(["model", "convert", "--model", "fresh", "--output", "new"], directory,
                         preexec_fn=lambda: os.umask(0o077))
        for top in ("run", "new"):
            for path in [directory / top, *(directory / top).rglob("*")]:
                expect(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, f"{path} may be read by others")

    def no_working_directory(self, relative):
        directory = self.fresh()
        gone = self.work / "gone"
        gone.mkdir(exist_ok=True)
        arguments = [str(directory / a) if a in ("fresh", "train.json", "validation.json") or
                     (a == "run" and not relative) else a for a in training()]

        def leave():
            os.chdir(gone)
            os.rmdir(gone)
        if relative:
            self.refused(directory, arguments, 74, "run", preexec_fn=leave, leaves="notes")
        else:
            self.succeeds(directory, arguments, whole=False, preexec_fn=leave)

    # --- Other processes and other obstacles ---

    def second_process(self):
        directory = self.fresh()
        process = self.program.start(training(steps=100000, every=3), directory, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL)
        process.stdout.readline()
        try:
            for more in ([], RESUME, ["--overwrite"]):
                status, _, err = self.program.run(training(*more), directory)
                expect(status == 2 and "--output" in err and "in use by another training" in err,
                       f"a second process {more}: exit {status}: {err.strip()}")
            expect(process.poll() is None, "the first one ended")
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.close()
            process.wait(PATIENCE)
        expect(process.returncode == 143, f"the first one: exit {process.returncode}")
        expect_whole(directory / "run")

    def file_in_the_way(self, name, *words):
        directory = self.fresh()
        (directory / "run").mkdir()
        (directory / "run" / name).write_text("mine")
        self.refused(directory, training(), 74, f"run/{name}", *words, leaves="notes")
        expect((directory / "run" / name).read_text() == "mine", "it was changed")

    # --- Truncated files ---

    def weights_cut_off(self, kept):
        """Between two questions to a model whose weights are mapped; kept: a share of the file.
        If whole pages are lost, the system ends the process (SECURITY.md)."""
        directory = self.fresh(self.whole)
        arguments = ["ask", "--model", "run/trained", "--context", "abc", "--json", "--threads", 1]
        weights = directory / "run" / "trained" / "model.safetensors"
        with subprocess.Popen([self.program.binary, *map(str, arguments)], cwd=directory, env=self.program.environment(),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdin.write(b"what?\n")
            process.stdin.flush()
            expect(b"answer" in process.stdout.readline(), "no first answer")
            os.truncate(weights, int(weights.stat().st_size * kept))
            out, err = process.communicate(b"what?\n", timeout=PATIENCE)
        line = b"spanforge: run/trained/model.safetensors: was truncated while it was in use; start again\n"
        wanted = (74, line) if kept > 0.99 else (-signal.SIGBUS, b"")
        expect((process.returncode, err, out) == (*wanted, b""), f"exit {process.returncode}: {out!r}, {err!r}")

    # --- Full disks ---

    @contextlib.contextmanager
    def small_disk(self, size, directory, name="run"):
        place = directory / name
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)

    def too_small_from_the_start(self):
        directory = self.fresh()
        with self.small_disk("2m", directory) as place:
            self.refused(directory, training(), 74, "run", "MB are needed", "MB free", "make room", leaves="notes")
            expect(not published(place) and not list(place.glob(".spanforge*")), f"left {os.listdir(place)}")
            subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
            self.succeeds(directory, training(*RESUME))

    def full_while_it_runs(self):
        directory = self.fresh()
        with self.small_disk("64m", directory) as place:
            process = self.program.start(training(steps=100000, every=3), directory, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE)
            while not published(place) and process.poll() is None:
                time.sleep(0.01)
            with contextlib.suppress(OSError), open(place / "ballast", "wb") as ballast:
                while True:
                    ballast.write(bytes(MB))
            _, err = process.communicate(timeout=PATIENCE)
            last = err.decode().splitlines()[-1]
            expect(process.returncode == 74 and last.startswith("spanforge: run") and
                   ("MB are needed" in last or "No space left" in last), f"exit {process.returncode}: {last}")
            expect(published(place), "no checkpoint is left")
            expect_whole(place)
            (place / "ballast").unlink()
            self.program.must(training(*RESUME, "--max-steps", 12, "--allow-changed", "max-steps"), directory)
            expect_whole(place)

    def full_for(self, name, arguments, whole, room):
        """A command whose files are there already, on a disk with room for only some of the new ones."""
        directory = self.fresh(self.whole)
        shutil.rmtree(directory / name, ignore_errors=True)
        with self.small_disk("48k", directory, name) as place:
            old = {file: b"old" for file in whole}
            for file, text in old.items():
                (place / file).write_bytes(text)
            with contextlib.suppress(OSError), open(place / "ballast", "wb", buffering=0) as ballast:
                while True:
                    ballast.write(bytes(4096))
            os.truncate(place / "ballast", (place / "ballast").stat().st_size - room)
            self.refused(directory, arguments, 74, name, "No space left", leaves="notes")
            found = {p.name: p.read_bytes() for p in place.iterdir() if p.name != "ballast"}
            expect(found == old, f"not all as it was: {sorted(found)}")
            subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
            self.program.must(arguments, directory)
            found = {p.name: p.read_bytes() for p in place.iterdir() if p.name != "ballast"}
            expect(sorted(found) == sorted(whole) and not set(found.values()) & {b"old"}, "not all new")

    def read_only_disk(self):
        directory = self.fresh()
        with self.small_disk("64m", directory) as place:
            subprocess.run(["mount", "-o", "remount,ro", place], check=True)
            self.refused(directory, training(), 74, "run", "Read-only file system", leaves="notes")

    # --- All of them ---

    def cases(self):
        yield "output is a link", self.linked_output
        yield "model and data are links", self.linked_inputs
        yield "checkpoints are links", self.linked_checkpoint
        yield "output is a broken link", self.dangling_output
        yield "data is a link to itself", self.looping_data
        for what, name in ODD_NAMES.items():
            yield f"names with {what}", lambda n=name: self.odd_name(n)
            yield f"missing file, its name with {what}", lambda n=name: self.odd_missing(n)
        yield "as a user without rights", self.unprivileged
        yield "parent of the output is read-only", self.closed_parent
        yield "output is read-only", self.closed_output
        yield "output becomes read-only", self.closed_while_it_runs
        yield "checkpoint to go on from is read-only", self.closed_checkpoint
        yield "predictions' directory is read-only", self.closed_predictions
        yield "a model's output is there, empty", self.filled_directory
        yield "a model's output is in a read-only parent", self.filled_in_a_closed_parent
        yield "data may not be read", lambda: self.unreadable("train.json", 74, "Permission denied")
        yield "model may not be read", lambda: self.unreadable("fresh", 74, "Permission denied")
        yield "weights may not be read", lambda: self.unreadable("fresh/model.safetensors", 74, "Permission denied")
        yield "HOME unset", lambda: self.environment({"HOME": None})
        yield "HOME missing", lambda: self.environment({"HOME": "/nonexistent/home"})
        yield "HOME unreadable", self.unreadable_home
        yield "HOME unset, model of a hub", self.homeless_hub
        yield "damaged file in a hub's cache", self.damaged_cache
        yield "empty environment", self.empty_environment
        yield "C locale", lambda: self.environment({"LC_ALL": "C", "LANG": None})
        yield "unknown locale", lambda: self.environment({"LC_ALL": "xx_XX.UTF-8"})
        yield "decimal comma", lambda: self.environment({"LC_ALL": "de_DE.UTF-8"})
        yield "TZ unset", lambda: self.environment({"TZ": None})
        yield "TZ unknown", lambda: self.environment({"TZ": "Nowhere/At_All"})
        yield "TERM unset", lambda: self.environment({"TERM": None, "COLUMNS": "0"})
        yield "TMPDIR missing", lambda: self.environment({"TMPDIR": "/nonexistent"})
        yield "no terminal", self.without_terminal
        yield "standard output on a full disk", self.full_stdout
        yield "RLIMIT_FSIZE", self.small_files
        if self.starve:
            yield "RLIMIT_NOFILE", self.few_descriptors
            yield "RLIMIT_AS", self.little_memory
            yield "threads that the system refuses", self.refused_threads
        yield "control characters and a terminal", self.terminal_obeys_no_text
        yield "standard output does not block", self.output_does_not_block
        yield "fewer threads than asked for", self.fewer_threads_than_asked
        yield "umask 077", self.private_umask
        yield "working directory removed", lambda: self.no_working_directory(relative=False)
        yield "working directory removed, relative output", lambda: self.no_working_directory(relative=True)
        yield "second process on one output", self.second_process
        yield "a file named logs", lambda: self.file_in_the_way("logs")
        for kept in (0, 0.5, 0.999):
            yield f"weights cut off to {kept}", lambda k=kept: self.weights_cut_off(k)
        if not mounts():
            print("full disks are not tested here: that takes root and mount(2) of a tmpfs", flush=True)
            return
        yield "disk too small from the start", self.too_small_from_the_start
        yield "disk full while it runs", self.full_while_it_runs
        yield "a model's output is a mount", self.filled_mount
        yield "disk full, evaluate", lambda: self.full_for("predictions", self.evaluating(), self.predictions, 8192)
        split = ["data", "split", "train.json", "--validation", 0.3, "--output", "split", "--overwrite"]
        yield "disk full, data split", lambda: self.full_for("split", split, ["train.json", "validation.json"], 4096)
        yield "read-only file system", self.read_only_disk


def tree(directory):
    found = {}
    for path in sorted(directory.rglob("*")):
        try:
            found[os.fsencode(path.relative_to(directory))] = (
                os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None)
        except PermissionError:
            found[os.fsencode(path.relative_to(directory))] = "unreadable"
    return found


def mounts():
    if not ROOT:
        return False
    with tempfile.TemporaryDirectory() as place:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            return False
        subprocess.run(["umount", place], check=True)
    return True


def main():
    parser = parser_of(__doc__, "part of a case's name", shim=False)
    parser.add_argument("--no-starving", action="store_true",
                        help="leave out too few descriptors and too little memory")
    args = parser.parse_args()
    program, work = begin(args, "surroundings")
    return run_cases(Surroundings(program, work, not args.no_starving).cases(), args.only, work)


if __name__ == "__main__":
    sys.exit(main())
