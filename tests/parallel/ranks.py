#!/usr/bin/env python3
"""Many processes: the program under the launchers that people use, and under what may happen to one rank.

Every training here must end in what one process with the same --gradient-shards leaves, bit for bit except
times. A rank that fails prints one line; where a rank was lost the others end with 75; what was saved is whole.

  ranks.py --bin build/release/bin [--kills 10] [--seed N] [--only WORD] [--long]

--long adds the cases that take minutes or need root: 64 ranks, a stopped rank (kill -STOP), cut and slow links.
Python's standard library only. torchrun, mpirun and redis-server are used if they are there.
"""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
from lab import (SOURCE, Finding, begin, expect, expect_same, expect_whole, make_inputs, parser_of,  # noqa: E402
                 result_of, run_cases, training)
from launchers import clean_environment, rank_environment  # noqa: E402
from namespaces import Namespaces, why_not  # noqa: E402

SHARDS, STEPS, EVERY = 4, 12, 3
PEER_LOST = 75
RESUME = ["--resume-from-checkpoint", "last"]
REDIS = shutil.which("redis-server") or shutil.which("redis-check-rdb")  # one program; its first word says what to be
TORCHRUN = SOURCE / ".venv/bin/torchrun"


class Ranks:
    """Some ranks started by a shell: RANK and WORLD_SIZE, and a folder or a Redis server to meet in."""

    def __init__(self, lab, directory, arguments, count, wrapper=lambda rank: [], arguments_of=None, rendezvous=None,
                 **environment):
        self.directory = directory
        self.processes, self.files = [], []
        for rank in range(count):
            words = arguments_of(rank) if arguments_of else arguments
            self.files.append((tempfile.TemporaryFile(), tempfile.TemporaryFile()))
            self.processes.append(subprocess.Popen(
                [*wrapper(rank), str(lab.program.binary), *map(str, words), "--rendezvous",
                 rendezvous or str(directory / "meet")],
                cwd=directory, env=rank_environment(rank, count, **environment),
                stdin=subprocess.DEVNULL, stdout=self.files[-1][0], stderr=self.files[-1][1]))

    def end(self, seconds=120):
        """-> [(exit status, standard output, standard error)]; asks what is still there to stop."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(p.poll() is None for p in self.processes):
            time.sleep(0.01)
        for _ in range(2):  # the second signal ends a process at once
            for process in self.processes:
                if process.poll() is None:
                    process.terminate()
            if any(p.poll() is None for p in self.processes):
                time.sleep(1)
        ended = []
        for process, files in zip(self.processes, self.files):
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            texts = []
            for file in files:
                file.seek(0)
                texts.append(file.read().decode())
                file.close()
            ended.append((process.returncode, *texts))
        return ended


class Redis:
    """A server on a free port of the loopback interface, which keeps nothing."""

    def __init__(self, directory):
        for _ in range(5):  # another process may take the port first
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                 "--dir", str(directory), "--requirepass", "sesame"], executable=REDIS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while self.process.poll() is None:
                try:
                    self.ask("PING")
                    return
                except OSError:
                    time.sleep(0.01)
        raise Finding("redis-server does not start")

    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def ask(self, command):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(f"AUTH sesame\r\n{command}\r\nQUIT\r\n".encode())
            answer = b""
            while part := connection.recv(4096):
                answer += part
        return answer.decode().removeprefix("+OK\r\n").removesuffix("+OK\r\n").strip()

    def end(self):
        self.process.kill()
        self.process.wait()


class Lab:
    def __init__(self, program, work, kills, seed):
        self.program, self.work, self.kills = program, work, kills
        self.random = random.Random(seed)
        self.inputs = work / "inputs"
        make_inputs(program, self.inputs, hidden=64, layers=2)  # each of 4 ranks updates a part
        self.arguments = training("--gradient-shards", SHARDS, steps=STEPS, every=EVERY)
        whole = self.fresh("whole")
        self.must([*self.arguments], whole)
        self.reference = result_of(whole / "run")

    def fresh(self, name):
        directory = self.work / name
        shutil.copytree(self.inputs, directory)
        return directory

    def must(self, arguments, directory):
        status, out, err = self.program.run(arguments, directory, env=clean_environment())
        expect(status == 0, f"{' '.join(map(str, arguments))}: exit {status}: {err.strip()}")
        return out

    def expect_reference(self, directory):
        expect_same(result_of(directory / "run"), self.reference)
        names = {p.name for p in directory.iterdir()} - {"meet"}
        expect(names == {p.name for p in self.inputs.iterdir()} | {"run"}, f"litter next to the output: {sorted(names)}")
        meet = directory / "meet"
        expect(not meet.exists() or not any(meet.iterdir()), "files to meet by are left")

    def expect_success(self, ended):
        for rank, (status, out, err) in enumerate(ended):
            expect(status == 0, f"rank {rank}: exit {status}: {err.strip()}")
            expect(rank == 0 or not out + err, f"rank {rank} prints: {out}{err}")

    # --- Success ---------------------------------------------------------------------------------

    def same_bits(self):
        for count in (2, 4):
            directory = self.fresh(f"bits-{count}")
            self.expect_success(Ranks(self, directory, self.arguments, count).end())
            self.expect_reference(directory)

    def answers(self):
        """evaluate and ask by three processes print and write what one does."""
        directory = self.fresh("answers")
        self.must([*self.arguments, "--report-to", "none"], directory)
        data = json.loads((directory / "validation.json").read_text())
        rows = [{"id": f"{turn}-{qa['id']}", "question": qa["question"], "context": paragraph["context"]}
                for turn in range(200) for article in data["data"] for paragraph in article["paragraphs"] for qa in paragraph["qas"]]
        (directory / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        model = ["--model", "run/trained", "--threads", 1]
        for words in (["evaluate", *model, "--data", "validation.json", "--json", "--predictions-dir"],
                      ["ask", *model, "--input", "rows.jsonl", "--json"]):
            one = self.must([*words, *(["one"] if words[-1] == "--predictions-dir" else [])], directory)
            ended = Ranks(self, directory, [*words, *(["many"] if words[-1] == "--predictions-dir" else [])], 3).end()
            expect([status for status, _, _ in ended] == [0, 0, 0], f"{words[0]}: {ended}"[:400])
            expect(ended[0][1] == one, f"{words[0]} of three processes prints something else")
            expect(not ended[1][1] + ended[2][1], f"{words[0]}: a rank above 0 prints")
        expect(len(one.splitlines()) == len(rows), "an answer is missing")
        for file in sorted((directory / "one").iterdir()):
            expect(file.read_bytes() == (directory / "many" / file.name).read_bytes(), f"{file.name} differs")

    def torchrun(self):
        """Also with a rank that is killed: torchrun starts all again."""
        if not TORCHRUN.exists():
            return print("no torchrun: not tried")
        for kill in (False, True):
            directory = self.fresh(f"torchrun-{kill}")
            process = subprocess.Popen(
                [str(TORCHRUN), "--no-python", "--standalone", "--nproc-per-node", "2", "--max-restarts", "2",
                 str(self.program.binary), *map(str, self.arguments), *RESUME],
                cwd=directory, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if kill:
                wait_for(lambda: (directory / "run" / f"checkpoint-{EVERY}").exists(), "no checkpoint", process)
                victim = children(process.pid)[-1]
                os.kill(victim, signal.SIGKILL)
            out, _ = process.communicate(timeout=180)
            expect(process.returncode == 0, f"exit {process.returncode}: {out.decode()[-2000:]}")
            self.expect_reference(directory)

    def mpirun(self):
        mpirun = shutil.which("mpirun")
        if mpirun is None:
            return print("no mpirun: not tried")
        directory = self.fresh("mpirun")
        done = subprocess.run([mpirun, "--allow-run-as-root", "--oversubscribe", "-np", "2",
                               str(self.program.binary), *map(str, self.arguments)],
                              cwd=directory, env=clean_environment(), capture_output=True, timeout=180)
        expect(done.returncode == 0, f"exit {done.returncode}: {done.stderr.decode()[-2000:]}")
        self.expect_reference(directory)

    def redis(self):
        """Ranks that meet in Redis, also after others were killed there; who has no password."""
        if REDIS is None:
            return print("no Redis server: not tried")
        directory = self.fresh("redis")
        server = Redis(self.work)
        try:
            ended = Ranks(self, directory, self.arguments, 2, rendezvous=server.url()).end()
            self.expect_refusal(ended, 2, "REDISCLI_AUTH")
            ended = Ranks(self, directory, self.arguments, 2, rendezvous="redis://:sesame@127.0.0.1").end()
            self.expect_refusal(ended, 2, "--rendezvous")
            expect("sesame" not in ended[0][2], ended[0][2])

            def start(count, name, more=()):
                return Ranks(self, directory, [*self.arguments, *more], count, rendezvous=f"{server.url()}/1?name={name}",
                             REDISCLI_AUTH="sesame")
            for _ in range(2):
                ranks = start(4, "killed")
                time.sleep(self.random.uniform(0, 0.3))
                for process in ranks.processes:
                    process.kill()
                    process.wait()
            began = time.monotonic()
            self.expect_success(start(4, "killed", RESUME).end())
            expect(time.monotonic() - began < 30, "a start waits long for what killed ones left")
            self.expect_reference(directory)
            expect("db1" not in server.ask("INFO keyspace"), "keys are left: " + server.ask("INFO keyspace"))
            directory = self.fresh("redis-2")
            self.expect_success(start(2, "whole").end())
            self.expect_reference(directory)
        finally:
            server.end()

    def many(self):
        directory = self.fresh("many")
        arguments = training("--gradient-shards", 64, "--gradient-accumulation-steps", 1,
                             "--per-device-train-batch-size", 1, steps=3, every=3)
        self.expect_success(Ranks(self, directory, arguments, 64).end(600))
        one = self.fresh("many-one")
        self.must(arguments, one)
        expect_same(result_of(directory / "run"), result_of(one / "run"))

    # --- Refusals --------------------------------------------------------------------------------

    def expect_refusal(self, ended, status, word):
        for rank, (found, _, err) in enumerate(ended):
            expect(found == status, f"rank {rank}: exit {found}, not {status}: {err.strip()}")
            lines = [line for line in err.splitlines() if line]
            expect(len(lines) == 1 and word in lines[0], f"rank {rank}: {err!r} is not one line with {word!r}")

    def other_data(self):
        directory = self.fresh("other-data")
        changed = [*self.arguments]
        changed[changed.index("train.json")] = "validation.json"
        ended = Ranks(self, directory, None, 2, arguments_of=lambda rank: changed if rank else self.arguments).end()
        self.expect_refusal(ended, 2, "--train")
        expect(not (directory / "run").exists(), "an output was made")
        changed = [*self.arguments, "--learning-rate", "0.5"]
        ended = Ranks(self, directory, None, 2, arguments_of=lambda rank: changed if rank else self.arguments).end()
        expect([status for status, _, _ in ended] == [2, 2], f"{ended}")
        expect("--learning-rate: is 0.5 on rank 1" in ended[0][2], ended[0][2])
        self.must([*self.arguments, "--report-to", "none"], directory)
        shutil.copytree(directory / "run/trained", directory / "other")
        weights = bytearray((directory / "other/model.safetensors").read_bytes())
        weights[-1] ^= 1
        (directory / "other/model.safetensors").write_bytes(weights)
        (directory / "rows.jsonl").write_text('{"question": "Who?", "context": "Ann is here."}\n')
        (directory / "fewer.jsonl").write_text('{"question": "Who?", "context": "Bob is here."}\n')
        for command, option, names in (
                (["evaluate", "--data", "validation.json"], "--model", ("run/trained", "other")),
                (["ask", "--input", "rows.jsonl"], "--model", ("run/trained", "other")),
                (["ask", "--model", "run/trained"], "--input", ("rows.jsonl", "fewer.jsonl"))):
            ended = Ranks(self, directory, None, 2, arguments_of=lambda rank: [*command, option, names[rank]]).end()
            self.expect_refusal(ended, 2, f"{option}: has other contents on rank 1")

    def one_output(self):
        """A second run on an output in use is refused on all its ranks; the first goes on."""
        directory = self.fresh("one-output")
        first = Ranks(self, directory, self.arguments, 2)
        wait_for(lambda: (directory / "run/log.jsonl").exists(), "the first does not start", first.processes[0])
        first.processes[0].send_signal(signal.SIGSTOP)  # it must not end before the second comes
        second = Ranks(self, directory, [*self.arguments], 2).end()
        first.processes[0].send_signal(signal.SIGCONT)
        self.expect_refusal(second, 2, "is in use by another training")
        self.expect_success(first.end())
        self.expect_reference(directory)

    def other_host(self):
        """Loopback does not leave a host."""
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            return print("no root or no unshare: not tried")
        directory = self.fresh("other-host")
        ended = Ranks(self, directory, self.arguments, 2, lambda rank: [
            "unshare", "--uts", "sh", "-c", f'hostname host{rank} && exec "$@"', "sh"]).end()
        self.expect_refusal(ended, 2, "--interface")
        expect("rank 0 is on host0 and rank 1 on host1" in ended[1][2], ended[1][2])

    def wrong_number(self):
        directory = self.fresh("wrong-number")
        self.expect_refusal(Ranks(self, directory, self.arguments, 3).end(), 2, "--gradient-shards")

    # --- Losses ----------------------------------------------------------------------------------

    def kill(self):
        """kill -9 of a random rank at a random moment, again and again, on 4, 2 and 1 ranks in turn."""
        began = time.monotonic()
        directory = self.fresh("killed-timing")
        Ranks(self, directory, self.arguments, 4).end()
        whole = time.monotonic() - began
        kills = number = 0
        while kills < self.kills:
            number += 1
            directory = self.fresh(f"killed-{number}")
            life = 0
            while True:
                life += 1
                count = (4, 2, 1)[self.random.randrange(3)]
                ranks = Ranks(self, directory, [*self.arguments, *RESUME], count)
                if kills >= self.kills or life > 12:
                    self.expect_success(ranks.end())
                    break
                time.sleep(self.random.uniform(0, whole * self.random.choice((0.2, 0.5, 1.0))))
                victim = self.random.randrange(count)
                alive = ranks.processes[victim].poll() is None
                ranks.processes[victim].kill()
                kills += alive
                self.judge(ranks.end(10), victim, alive, directory)
                if (directory / "run/trained").exists() and not alive:
                    break
            self.expect_reference_after(directory)
            shutil.rmtree(directory)
        print(f"{kills} kills, {number} trainings brought to their end, {time.monotonic() - began:.0f} s")

    def judge(self, ended, victim, alive, directory):
        for rank, (status, _, err) in enumerate(ended):
            lines = [line for line in err.splitlines() if line]
            if rank == victim and alive:
                continue
            # 0: it had ended. 143: it waited for the others to come, and was asked to stop.
            expect(status in (0, PEER_LOST, 128 + signal.SIGTERM),
                   f"rank {rank} of {len(ended)} ends with {status} after rank {victim} was killed: {err.strip()}")
            if rank > 0 and status == PEER_LOST:
                expect(len(lines) == 1, f"rank {rank} prints {err!r}")
            if status == PEER_LOST:
                expect("rank" in lines[-1] or "come" in lines[-1], f"rank {rank} does not name the lost one: {err!r}")
        if (directory / "run").exists():
            expect_whole(directory / "run")

    def expect_reference_after(self, directory):
        """Of a start that was killed, files to meet by may stay, which the next start removes."""
        expect_same(result_of(directory / "run"), self.reference)

    def stale(self):
        """All ranks killed while they meet; then a start in the same folder."""
        directory = self.fresh("stale")
        for _ in range(self.kills):
            ranks = Ranks(self, directory, self.arguments, 3 if self.random.random() < 0.5 else 4)
            for process in ranks.processes[self.random.randrange(2):]:
                time.sleep(self.random.uniform(0, 0.02))
                process.kill()
            for process in ranks.processes:
                process.kill()
                process.wait()
        self.expect_success(Ranks(self, directory, [*self.arguments, *RESUME], 4).end())
        self.expect_reference(directory)

    def stop_signal(self):
        """SIGTERM to one rank: all save and end as by a signal, and go on later."""
        for victim in (0, 1):
            directory = self.fresh(f"term-{victim}")
            ranks = Ranks(self, directory, self.arguments, 2)
            wait_for(lambda: (directory / "run/log.jsonl").exists() and (directory / "run/log.jsonl").stat().st_size,
                     "it does not start", ranks.processes[0])
            ranks.processes[victim].terminate()
            ended = ranks.end()
            if any(status == 0 for status, _, _ in ended):
                print("the training ended before the signal")
                continue
            for rank, (status, _, err) in enumerate(ended):
                expect(status == 143, f"rank {rank}: exit {status}: {err.strip()}")
                expect("stopped on request after step" in err.splitlines()[-1], f"rank {rank}: {err!r}")
            self.expect_success(Ranks(self, directory, [*self.arguments, *RESUME], 4).end())
            self.expect_reference(directory)

    def stopped(self):
        """kill -STOP: the others notice at the deadline, a minute."""
        for victim in (1, 0):
            directory = self.fresh(f"stopped-{victim}")
            ranks = Ranks(self, directory, [*self.arguments, "--max-steps", "100000"], 2)
            wait_for(lambda: (directory / f"run/checkpoint-{EVERY}").exists(), "no checkpoint", ranks.processes[0])
            ranks.processes[victim].send_signal(signal.SIGSTOP)
            began = time.monotonic()
            other = ranks.processes[1 - victim]
            wait_for(lambda: other.poll() is not None, "a stopped rank is not noticed", seconds=90)
            took = time.monotonic() - began
            expect(other.returncode == PEER_LOST, f"exit {other.returncode}")
            expect(50 < took < 80, f"noticed after {took:.0f} s")
            ranks.processes[victim].send_signal(signal.SIGCONT)
            ended = ranks.end(20)
            expect(ended[victim][0] == PEER_LOST, f"the stopped rank ends with {ended[victim]}")
            expect_whole(directory / "run")

    def slow(self):
        """Links of 3 Mbit/s, of which one is cut for 20 s: that takes long and changes nothing."""
        if why := why_not(limited=True):
            return print(f"{why}: not tried")
        network = Namespaces(4)
        try:
            network.limit("3mbit")
            directory = self.fresh("slow")
            began = time.monotonic()
            ranks = Ranks(self, directory, [*self.arguments, "--interface", "eth0"], 4, network.wrapper)
            wait_for(lambda: (directory / f"run/checkpoint-{EVERY}").exists(), "no checkpoint", ranks.processes[0], seconds=300)
            network.cut(2)
            time.sleep(20)
            network.restore(2)
            self.expect_success(ranks.end(600))
            print(f"over slow links, one cut for 20 s: {time.monotonic() - began:.0f} s")
            self.expect_reference(directory)
        finally:
            network.remove()

    def cut(self):
        """Ranks in network namespaces; the link of one is cut."""
        if why := why_not():
            return print(f"{why}: not tried")
        network = Namespaces(2)
        try:
            directory = self.fresh("cut")
            arguments = [*self.arguments, "--interface", "eth0"]
            self.expect_success(Ranks(self, directory, arguments, 2, network.wrapper).end())
            self.expect_reference(directory)
            directory = self.fresh("cut-off")
            ranks = Ranks(self, directory, [*arguments, "--max-steps", "100000"], 2, network.wrapper)
            wait_for(lambda: (directory / f"run/checkpoint-{EVERY}").exists(), "no checkpoint", ranks.processes[0])
            network.cut(1)
            began = time.monotonic()
            ended = ranks.end(150)
            expect([status for status, _, _ in ended] == [PEER_LOST] * 2, f"{ended}"[-600:])
            print(f"a cut link is noticed after {time.monotonic() - began:.0f} s")
            expect_whole(directory / "run")
        finally:
            network.remove()


def wait_for(condition, what, process=None, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        expect(process is None or process.poll() is None or condition(), f"{what}: the process ended")
        expect(time.monotonic() < deadline, what)
        time.sleep(0.002)


def children(pid):
    """Processes of the program below `pid`."""
    found, todo = [], [pid]
    while todo:
        try:
            below = [int(word) for word in pathlib.Path(f"/proc/{todo[-1]}/task/{todo[-1]}/children").read_text().split()]
        except OSError:
            below = []
        todo.pop()
        found += below
        todo += below
    return [p for p in found if "spanforge" in pathlib.Path(f"/proc/{p}/comm").read_text()]


def self_test():
    """Each judgement must notice what it is for."""
    lab = Lab.__new__(Lab)
    lab.reference = {"log": [1, 2], "names": ["trained"]}
    lost, well = (PEER_LOST, "", "spanforge: rank 1: is gone\n"), (0, "", "")
    folder = pathlib.Path("/nonexistent")
    good = [lambda: lab.expect_success([well, well]), lambda: lab.judge([lost, (-9, "", "")], 1, True, folder),
            lambda: lab.expect_refusal([(2, "", "spanforge: --train: differs\n")] * 2, 2, "--train"),
            lambda: expect_same(lab.reference, dict(lab.reference))]
    bad = {"a rank that fails": lambda: lab.expect_success([well, lost]),
           "a rank above 0 that prints": lambda: lab.expect_success([well, (0, "x", "")]),
           "another exit code after a loss": lambda: lab.judge([(70, "", "spanforge: rank 1\n"), well], 1, True, folder),
           "two lines after a loss": lambda: lab.judge([well, (PEER_LOST, "", "a\nrank 0\n")], 0, True, folder),
           "a line that names no rank": lambda: lab.judge([(PEER_LOST, "", "spanforge: gone\n"), well], 1, True, folder),
           "another exit code": lambda: lab.expect_refusal([(3, "", "--train\n")], 2, "--train"),
           "two lines": lambda: lab.expect_refusal([(2, "", "--train\nmore\n")], 2, "--train"),
           "another word": lambda: lab.expect_refusal([(2, "", "--seed\n")], 2, "--train"),
           "another result": lambda: expect_same({"log": [1, 3], "names": ["trained"]}, lab.reference)}
    for case in good:
        case()
    missed = []
    for name, case in bad.items():
        try:
            case()
            missed.append(name)
        except Finding:
            pass
    if missed:
        sys.exit(f"not noticed: {missed}")


def main():
    parser = parser_of(__doc__, only="only the cases whose names contain this", shim=False)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    program, work = begin(args, "ranks")
    print(f"seed {args.seed}")
    lab = Lab(program, work, args.kills, args.seed)
    cases = [("same bits", lab.same_bits), ("answers", lab.answers), ("torchrun", lab.torchrun), ("mpirun", lab.mpirun),
             ("redis", lab.redis),
             ("other data", lab.other_data), ("one output", lab.one_output), ("wrong number", lab.wrong_number),
             ("other host", lab.other_host),
             ("stale rendezvous", lab.stale), ("signal", lab.stop_signal), ("kill -9", lab.kill)]
    if args.long:
        cases += [("64 ranks", lab.many), ("kill -STOP", lab.stopped), ("cut link", lab.cut),
                  ("slow link", lab.slow)]
    return run_cases(cases, args.only, work)


if __name__ == "__main__":
    sys.exit(main())
