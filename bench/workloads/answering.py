"""Text in, answers out: spanforge ask beside the pipelines people use, on models of random weights."""
import json
import statistics
import sys

from harness import BIN, ROOT, Program, Table, milliseconds, questions_of, timed, vocabulary

WHAT = ("answers to the recipe's four questions and to 1,000 real ones, base and large shape, against transformers' "
        "pipeline, ONNX Runtime and OpenVINO")
ENGINES = {"pipeline": "transformers pipeline, fp32", "eager_bf16": "transformers pipeline, bf16",
           "onnx_f32": "ONNX Runtime fp32", "onnx_int8": "ONNX Runtime int8 (dynamic)", "openvino_f32": "OpenVINO f32",
           "openvino_bf16": "OpenVINO bf16", "openvino_int8": "OpenVINO int8 (NNCF)"}
OURS = {"spanforge, fp32": ["--bf16", "false"], "spanforge, bf16": ["--bf16", "true"]}
RECIPE = ("轻策庄旁的河边，小艾咪正在钓鱼。香菱今天兴高采烈，她成功尝试了新的料理配方。",
          ["谁在钓鱼？", "香菱今天心情如何？", "香菱尝试了什么？", "小艾咪在哪里钓鱼？"])


def make_model(context, shape):
    model = context.work / shape
    if not (model / "config.json").exists():
        timed([BIN / "spanforge", "model", "new", "--like", shape, "--vocab", vocabulary(context) / "vocab.txt",
               "--output", model])
    return model


def real_questions(context, count):
    names = ["xquad/xquad.en.json", "cmrc2018/cmrc2018_dev.json"]
    files = [context.data / n for n in names if context.data and (context.data / n).exists()]
    files = files or [ROOT / "data/sample/train.json"]
    found = [list(questions_of(json.loads(f.read_text(encoding="utf-8")))) for f in files]
    share = -(-count // len(found))
    picked = [pair for of_file in found for pair in of_file[::max(1, len(of_file) // share)][:share]]
    return picked[:count]


def write_questions(path, pairs):
    path.write_text("".join(json.dumps({"id": str(i), "question": q, "context": c}, ensure_ascii=False) + "\n"
                            for i, (q, c) in enumerate(pairs)), encoding="utf-8")
    return path


class Asking:
    """spanforge ask as one side: a process a run; the time of a run with one question is taken off, so that
    loading the model does not count, as it does not for the others."""

    def __init__(self, model, file, options, threads):
        self.command = [BIN / "spanforge", "ask", "--model", model, "--json", "--decoder", "pipeline", "--threads", threads,
                        *options]
        self.file = file
        self.first = file.with_suffix(".first.jsonl")
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        self.count = len(lines)
        self.first.write_text(lines[0], encoding="utf-8")

    def run(self):
        loading = min(timed([*self.command, "--input", self.first])[0] for _ in range(2))
        seconds, output = timed([*self.command, "--input", self.file])
        answers = [json.loads(line)["answer"] for line in output.splitlines()]
        if seconds <= loading:
            raise RuntimeError(f"{self.count} questions take no longer than loading the model: too few to measure")
        # One of the questions is in both.
        return {"seconds": (seconds - loading) * self.count / (self.count - 1), "answers": answers, "process": seconds}

    def close(self):
        pass


def compare(context, model, file, rounds):
    # The recipe's four questions take less time than loading varies by: asked many times over.
    sides, missing = {}, []
    for name, options in OURS.items():
        sides[name] = Asking(model, file, options, context.threads)
    exports = model / "exports"
    exports.mkdir(exist_ok=True)
    for engine, name in ENGINES.items():
        try:
            sides[name] = Program([sys.executable, ROOT / "bench/answerers.py", engine, model, file, exports, context.threads],
                                  OMP_NUM_THREADS=context.threads, TOKENIZERS_PARALLELISM="false")
        except RuntimeError as error:
            missing.append(f"{name} is left out: {str(error)[-200:]}")
    results = {name: {"seconds": []} for name in sides}
    for i in range(rounds + 1):  # the first one warms up
        for name, side in sides.items():
            result = side.run()
            if i > 0:
                results[name]["seconds"].append(result["seconds"])
            results[name]["answers"] = result["answers"]
    for side in sides.values():
        side.close()
    return results, missing


def table(title, results, missing, count):
    theirs = results[ENGINES["pipeline"]]["answers"] if ENGINES["pipeline"] in results else None
    best = min(r["seconds"] and statistics.median(r["seconds"]) for n, r in results.items() if n in OURS)
    rows = []
    for name, result in results.items():
        seconds = statistics.median(result["seconds"])
        same = "" if theirs is None else f"{100 * sum(a == b for a, b in zip(result['answers'], theirs)) / count:.0f} %"
        rows.append([name, milliseconds(seconds / count), f"{count / seconds:.1f}", f"{seconds / best:.2f}", same])
    notes = ["The models are untrained, so answers hang on the last digits; the last column says how many equal the "
             "pipeline's in fp32."] + missing
    return Table(title, ["program", "a question", "questions a second", "time : our best", "same answers"], rows, notes)


def run(context):
    tables, raw = [], {}
    recipe = [(q, RECIPE[0]) for q in RECIPE[1]] * 25
    sets = {"the recipe's four questions, repeated": recipe,
            "real questions": real_questions(context, 40 if context.quick else 1000)}
    for shape in ["tiny"] if context.quick else ["base", "large"]:
        model = make_model(context, shape)
        for name, pairs in sets.items():
            file = write_questions(context.work / f"{shape}-{len(pairs)}.jsonl", pairs)
            results, missing = compare(context, model, file, context.rounds(5 if len(pairs) <= 100 else 2, 1))
            tables.append(table(f"{shape}, {name} ({len(pairs)})", results, missing, len(pairs)))
            raw[f"{shape} {name}"] = {n: r["seconds"] for n, r in results.items()}
    return tables, raw
