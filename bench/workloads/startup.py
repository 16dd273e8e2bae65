"""Commands that compute almost nothing: they measure starting up and reading."""
import os
import statistics

from harness import BIN, Table, milliseconds, timed, vocabulary

WHAT = ("whole processes: spanforge --help (target 20 ms), data check of 3,000 questions (target 100 ms), the first answer of "
        "a base-shaped model (target 1 s)")


def questions(context):
    path = context.data / "cmrc2018/cmrc2018_dev.json" if context.data else None
    if path and path.exists():
        return path
    from make_questions import write_dataset
    path = context.work / "questions.json"
    write_dataset(path, 3000)
    return path


def forget(directory):
    """Drops the directory's files from the page cache, so that they are read from the disk again."""
    for path in directory.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def first_answers(context):
    """{name: seconds}: a process that answers one question and ends, its model's files in memory or on the disk alone."""
    shape = "tiny" if context.quick else "base"
    model = context.work / shape
    if not (model / "config.json").exists():
        timed([BIN / "spanforge", "model", "new", "--like", shape, "--vocab", vocabulary(context) / "vocab.txt", "--output", model])
    question = ["--question", "Who baked the bread?", "--context", "Early in the morning Ada baked the bread and left."]
    found = {}
    for precision in ("fp32", "bf16"):
        command = [BIN / "spanforge", "ask", "--model", model, *question, "--bf16", str(precision == "bf16").lower(), "--json"]
        timed(command)
        for where in ("in the page cache", "on the disk"):
            seconds = []
            for _ in range(context.rounds(7)):
                if where == "on the disk":
                    forget(model)
                seconds.append(timed(command)[0])
            found[f"spanforge ask, {shape}, {precision}, model {where}"] = seconds
    return found


def run(context):
    spanforge = BIN / "spanforge"
    data = questions(context)
    commands = {"spanforge --help": ([spanforge, "--help"], 0.020),
                "spanforge --version": ([spanforge, "--version"], 0.020),
                # Real data has misaligned answers, and then the exit status is 3.
                f"spanforge data check {data.name}":
                    (["sh", "-c", '"$0" data check "$1" --json || [ $? = 3 ]', spanforge, data], 0.100)}
    rows, raw = [], {}
    for name, (command, target) in commands.items():
        timed(command)
        seconds = [timed(command)[0] for _ in range(context.rounds(30, 5))]
        raw[name] = seconds
        rows.append([name, milliseconds(statistics.median(seconds)), milliseconds(max(seconds)), milliseconds(target)])
    for name, seconds in first_answers(context).items():
        raw[name] = seconds
        rows.append([name, milliseconds(statistics.median(seconds)), milliseconds(max(seconds)), milliseconds(1.0)])
    return [Table("Whole processes", ["command", "median", "slowest", "target"], rows)], raw
