"""Time and memory a question as data grows: both must stay the same."""
from harness import BIN, Table, megabytes, milliseconds, timed, timed_with_memory
from make_questions import write_dataset

WHAT = "time and peak memory of data check, stats, labels and evaluate --predictions at 10k, 100k and 1M questions"


def commands(model, data, predictions):
    spanforge = BIN / "spanforge"
    return {"data check": [spanforge, "data", "check", data, "--json"],
            "data stats": [spanforge, "data", "stats", data, "--json"],
            "data labels": [spanforge, "data", "labels", "--model", model, data, "--json"],
            "evaluate --predictions": [spanforge, "evaluate", "--predictions", predictions, "--data", data, "--json"]}


def run(context):
    model = context.work / "tokenizer"
    if not (model / "config.json").exists():
        text = context.work / "text.txt"
        from make_questions import questions
        text.write_text("\n".join(c for c, _ in questions(2000)))
        timed([BIN / "spanforge", "model", "new", "--like", "tiny", "--text", text, "--output", model])
    sizes = [1000, 10_000] if context.quick else [10_000, 100_000, 1_000_000]
    rows, raw = [], {}
    for count in sizes:
        data, predictions = context.work / f"{count}.json", context.work / f"{count}.predictions.json"
        write_dataset(data, count, predictions)
        for name, command in commands(model, data, predictions).items():
            runs = [timed_with_memory(command) for _ in range(3 if count < 1_000_000 else 1)]
            raw.setdefault(name, {})[count] = {key: [r[key] for r in runs] for key in runs[0]} | {
                "bytes": data.stat().st_size}
        data.unlink()
        predictions.unlink()
    for name, by_count in raw.items():
        for count, result in by_count.items():
            seconds, processor, memory = min(result["seconds"]), min(result["processor"]), max(result["peak_rss"])
            rows.append([name, f"{count:,}", megabytes(result["bytes"]), milliseconds(seconds),
                         milliseconds(processor), f"{1e6 * processor / count:.1f}", megabytes(memory), f"{memory / count:.0f}"])
    columns = ["command", "questions", "file", "time", "processor time", "us a question", "peak memory", "bytes a question"]
    return [Table("Growth", columns, rows, ["Whole processes, the fastest of three (one at 1M); data of bench/make_questions.py."])], raw
