"""A good guest: what the process is like before and after the import, torch next to it, forked children."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

LOOK = """
    import ctypes, json, locale, os, signal, sys, threading, warnings

    libm = ctypes.CDLL("libm.so.6")
    libc = ctypes.CDLL("libc.so.6")

    class Action(ctypes.Structure):
        _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_uint64), ("unused", ctypes.c_byte * 120), ("flags", ctypes.c_int),
                    ("restorer", ctypes.c_void_p)]

    def handler(number):
        action = Action()
        return None if libc.sigaction(number, None, ctypes.byref(action)) else (action.handler, action.mask, action.flags)

    def signals(which):
        # without 32 and 33, which are the C library's own once a second thread has run
        line = next(line for line in open("/proc/self/status") if line.startswith(which))
        return int(line.split()[1], 16) & ~(3 << 31)

    def environment():
        found, at = [], ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
        while at[len(found)] is not None:
            found.append(at[len(found)])
        return found

    def tiny_is_kept():
        # 1e-310 is subnormal: 0 where the processor flushes such numbers
        return float("1e-310") * 1.0 == 1e-310, float("1e-300") * 1e-10 != 0

    libc.setlocale.restype = ctypes.c_char_p

    def look():
        return {
            "handlers": [handler(n) for n in range(1, 65)],
            "python_handlers": [str(signal.getsignal(n)) for n in signal.valid_signals()],
            "mask": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
            "environ": dict(os.environ), "c_environ": environment(),
            "locale": libc.setlocale(6, None),
            "affinity": os.sched_getaffinity(0), "threads": os.listdir("/proc/self/task"),
            "rounding": libm.fegetround(), "traps": libm.fegetexcept(), "subnormal": tiny_is_kept(),
            "directory": os.getcwd(), "umask": [line for line in open("/proc/self/status") if line.startswith("Umask")],
            "signals": [signals(which) for which in ("SigBlk", "SigIgn", "SigCgt")],
            "files": sorted(os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")),
            "limits": open("/proc/self/limits").read(), "nice": os.nice(0), "excepthook": sys.excepthook,
            "filters": list(warnings.filters), "recursion": sys.getrecursionlimit(), "switch": sys.getswitchinterval(),
            "priority": libc.getpriority(0, 0), "path": list(sys.path),
        }

    def differences(before, after):
        return [key for key in before if before[key] != after[key]]
"""


def run(script, *arguments, environment=None, timeout=120):
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(LOOK) + textwrap.dedent(script), *map(str, arguments)],
                          text=True, capture_output=True, timeout=timeout, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_import_changes_nothing():
    out = run("""
        before = look()
        import spanforge
        print(differences(before, look()))
    """)
    assert out == "[]\n"


@pytest.mark.parametrize("change", [
    "os.environ['X'] = '1'", "os.putenv('X', '1')", "signal.signal(signal.SIGTERM, print)", "signal.pthread_sigmask(0, [10])",
    "os.umask(0)", "libm.fesetround(0x400)", "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])",
    "threading.Thread(target=threading.Event().wait, daemon=True).start()", "warnings.simplefilter('ignore')",
    "locale.setlocale(locale.LC_ALL, 'C')", "keep = open('/dev/null')"])
def test_the_look_notices(change):
    if "affinity" in change and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core")
    out = run(f"""
        if "LC_ALL" in {change!r}: locale.setlocale(locale.LC_ALL, "C.UTF-8")
        before = look()
        {change}
        print(differences(before, look()))
    """)
    assert out != "[]\n"


def test_answering_and_training_leave_nothing(trained, tmp_path):
    out = run("""
        import spanforge
        before = look()
        pipe = spanforge.Pipeline(sys.argv[1], threads=1)
        pipe("Where is Anna?", "Anna sat in the market.")
        rows = [{"question": "Where?", "context": "In the market.", "answers": {"text": ["market"], "answer_start": [7]}}] * 4
        spanforge.train(model=sys.argv[1], train=[{**row, "id": str(i)} for i, row in enumerate(rows)], output=sys.argv[2], max_steps=2,
                        report_to="none", quiet=True, threads=1)
        print([key for key in differences(before, look()) if key not in ("files", "filters")])
    """, trained, tmp_path / "run")
    assert out == "[]\n"


def test_threads_sleep_soon(trained):
    """OpenMP's threads spin as shortly as the program's, unless the user said something else."""
    shown = {}
    for name, value in (("", ""), ("GOMP_SPINCOUNT", "77")):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GOMP", "OMP"))}
        environment.update({"OMP_DISPLAY_ENV": "verbose", **({name: value} if name else {})})
        done = subprocess.run([sys.executable, "-c", "import spanforge"], text=True, capture_output=True, env=environment)
        shown[name] = [line.split("'")[1] for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line]
    assert shown == {"": ["1000"], "GOMP_SPINCOUNT": ["77"]}


ASK = """
    def ours():
        import spanforge
        pipe = spanforge.Pipeline(sys.argv[1], threads=2)
        return pipe("Where is Anna?", "Anna sat in the market. " * 20)

    def theirs():
        import torch
        torch.manual_seed(0)
        torch.set_num_threads(2)
        a = torch.rand(300, 300)
        return float(torch.linalg.solve(a, a @ a).sum() + torch.nn.functional.softmax(a.bfloat16() @ a.bfloat16(), 0).sum())
"""


@pytest.mark.parametrize("order", ["ours(), theirs(), ours(), theirs()", "theirs(), ours(), theirs(), ours()"])
def test_torch_in_the_same_process(trained, order):
    alone = {name: run(ASK + f"    print(repr({name}()))", trained) for name in ("ours", "theirs")}
    out = run(ASK + f"""
    for one in ({order}):
        print(repr(one))
    """, trained).splitlines(keepends=True)
    assert set(out) == set(alone.values()) and out[0] == out[2] and out[1] == out[3]


FORK = """
    import multiprocessing, spanforge
    pipe = spanforge.Pipeline(sys.argv[1], threads=2)
    QUESTION = ("Where is Anna?", "Anna sat in the market. " * 40)

    def child(results):
        try:
            results.put(pipe(*QUESTION)["answer"])
        except spanforge.Error as error:
            results.put("error: " + str(error))

    def fork(count=2):
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        children = [context.Process(target=child, args=(results,)) for _ in range(count)]
        for one in children: one.start()
        answers = [results.get(timeout=30) for _ in children]
        for one in children: one.join(30)
        assert all(one.exitcode == 0 for one in children)
        return answers
"""


def test_a_forked_child_answers(trained):
    out = run(FORK + """
    expected = pipe(*QUESTION)["answer"]
    assert fork() == [expected] * 2, "after an answer"
    assert pipe(*QUESTION)["answer"] == expected, "the parent goes on"
    print("fine")
    """, trained)
    assert out == "fine\n"


def test_a_child_forked_before_the_first_answer_answers(trained):
    out = run(FORK + """
    first = fork()
    assert first == [pipe(*QUESTION)["answer"]] * 2
    print("fine")
    """, trained)
    assert out == "fine\n"


def test_a_child_forked_amid_a_call_raises(trained):
    out = run(FORK + """
    import time
    busy = threading.Event()
    def work():
        busy.set()
        for _ in range(200):
            if not busy.is_set(): break
            pipe([dict(question=QUESTION[0], context=QUESTION[1])] * 200)
    thread = threading.Thread(target=work)
    thread.start()
    busy.wait()
    time.sleep(0.2)
    answers = fork(4)
    busy.clear()
    thread.join()
    assert all(a.startswith("error: fork: ") and chr(10) not in a or a in QUESTION[1] for a in answers), answers
    assert any(a.startswith("error") for a in answers), answers
    print("fine")
    """, trained)
    assert out == "fine\n"


def test_a_child_forked_in_a_callback_raises(trained, tmp_path):
    out = run(FORK + """
    class Forks:
        def on_step_end(self, args, state, control, **kwargs):
            print(fork(1)[0])
    rows = [{"question": "Where?", "context": "In the market.", "answers": {"text": ["market"], "answer_start": [7]}}] * 4
    spanforge.train(model=sys.argv[1], train=[dict(row, id=str(i)) for i, row in enumerate(rows)], output=sys.argv[2], max_steps=1,
                    report_to="none", quiet=True, threads=1, callbacks=[Forks])
    """, trained, tmp_path / "run")
    assert out.startswith("error: fork: ") and out.count("\n") == 1


def test_a_child_can_train_and_load(trained, tmp_path):
    out = run(FORK + """
    pipe(*QUESTION)
    def child(results):
        rows = [{"question": "Where?", "context": "In the market.", "answers": {"text": ["market"], "answer_start": [7]}}] * 4
        done = spanforge.train(model=sys.argv[1], train=rows and [{**r, "id": str(i)} for i, r in enumerate(rows)],
                               output=f"{sys.argv[2]}/{os.getpid()}", max_steps=2, report_to="none", quiet=True, threads=2)
        results.put(spanforge.Pipeline(done.trained, threads=2)(*QUESTION)["answer"])
    print(len(fork()))
    """, trained, tmp_path)
    assert out == "2\n"


def test_map_of_datasets_in_two_processes(trained):
    out = run("""
    import datasets, spanforge
    datasets.disable_progress_bars()
    pipe = spanforge.Pipeline(sys.argv[1], threads=2)
    rows = [{"question": "Where is Anna?", "context": f"Anna sat in the market {i}. " * 10} for i in range(8)]
    expected = [answer["answer"] for answer in pipe(rows)]
    def ask(row):
        return {"said": pipe(row["question"], row["context"])["answer"]}
    import multiprocess
    multiprocess.set_start_method("fork")
    found = datasets.Dataset.from_list(rows).map(ask, num_proc=2)["said"]
    assert list(found) == expected, (found, expected)
    print("fine")
    """, trained)
    assert out.endswith("fine\n")
