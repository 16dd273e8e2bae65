"""Commands that compute next to nothing: what is left is starting up."""
import statistics

from harness import BIN, Table, milliseconds, timed

WHAT = "whole processes: spanforge --help (target 20 ms), data check of 3,000 questions (target 100 ms)"


def questions(context):
    path = context.data / "cmrc2018/cmrc2018_dev.json" if context.data else None
    if path and path.exists():
        return path
    from make_questions import write_dataset
    path = context.work / "questions.json"
    write_dataset(path, 3000)
    return path


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
    return [Table("Whole processes", ["command", "median", "slowest", "target"], rows)], raw
