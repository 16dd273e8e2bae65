"""Text in, answers out: spanforge and the pipelines people use, on models of random weights."""
import json
import statistics
import sys

from harness import BIN, ROOT, Program, Table, milliseconds, ours, questions_of, timed, vocabulary

WHAT = ("answers to the recipe's four questions and to 1,000 real ones, base and large shape, against transformers' "
        "pipeline, ONNX Runtime and OpenVINO")
# name -> (program, precision): who is compared with whom at equal precision.
ENGINES = {"pipeline": ("transformers pipeline, fp32", "fp32"), "eager_bf16": ("transformers pipeline, bf16", "bf16"),
           "onnx_f32": ("ONNX Runtime fp32", "fp32"), "onnx_int8": ("ONNX Runtime int8 (dynamic)", "int8"),
           "openvino_f32": ("OpenVINO fp32", "fp32"), "openvino_bf16": ("OpenVINO bf16", "bf16"),
           "openvino_int8": ("OpenVINO int8 (NNCF)", "int8")}
RECIPE = ("轻策庄旁的河边，小艾咪正在钓鱼。香菱今天兴高采烈，她成功尝试了新的料理配方。",
          ["谁在钓鱼？", "香菱今天心情如何？", "香菱尝试了什么？", "小艾咪在哪里钓鱼？"])
PARTS = 100  # of the real questions: every side answers the same parts in turn
SECONDS = 30  # after these, and five parts, a side is not asked any more


def make_models(context, shape):
    model, int8 = context.work / shape, context.work / f"{shape}-int8"
    if not (model / "config.json").exists():
        timed([BIN / "spanforge", "model", "new", "--like", shape, "--vocab", vocabulary(context) / "vocab.txt",
               "--output", model])
    if not (int8 / "config.json").exists():
        data = ROOT / "data/sample/validation.json"
        timed([BIN / "spanforge", "model", "convert", "--model", model, "--output", int8, "--int8", "--calibrate", data,
               "--validation", data, "--max-drop", "100"])  # of random weights: nothing to lose
    return model, int8


def real_questions(context, count):
    names = ["xquad/xquad.en.json", "cmrc2018/cmrc2018_dev.json"]
    files = [context.data / n for n in names if context.data and (context.data / n).exists()]
    files = files or [ROOT / "data/sample/train.json"]
    found = [list(questions_of(json.loads(f.read_text(encoding="utf-8")))) for f in files]
    share = -(-count // len(found))
    picked = [pair for of_file in found for pair in of_file[::max(1, len(of_file) // share)][:share]]
    return picked[:count]


def write_questions(path, pairs):
    path.write_text("".join(json.dumps({"question": q, "context": c}, ensure_ascii=False) + "\n" for q, c in pairs),
                    encoding="utf-8")
    return path


def our_sides(context, models, file, at_once):
    model, int8 = models
    kinds = {"fp32": (model, "f32"), "bf16": (model, "bf16"), "int8": (int8, "bf16")}
    return {(f"spanforge, {name}{', ' + how if len(at_once) > 1 else ''}", name):
            Program(ours("answering", directory, file, context.threads, precision, word))
            for how, word in at_once.items() for name, (directory, precision) in kinds.items()}


def their_sides(context, model, file):
    sides, missing = {}, []
    exports = model / "exports"
    exports.mkdir(exist_ok=True)
    for engine, name in ENGINES.items():
        try:
            sides[name] = Program([sys.executable, ROOT / "bench/answerers.py", engine, model, file, exports, context.threads],
                                  OMP_NUM_THREADS=context.threads, TOKENIZERS_PARALLELISM="false")
        except RuntimeError as error:
            missing.append(f"{name[0]} is skipped: {str(error)[-200:]}")
    return sides, missing


def in_turn(sides, rounds, parts):
    """{side: [result of part 0, of part 1, ...]}; if parts is 1, every round is the same work."""
    results = {name: [] for name in sides}
    for i in range(rounds):
        for name, side in sides.items():
            used = sum(r["seconds"] for r in results[name])
            if i < 5 or used < SECONDS:
                results[name].append(side.run(i % parts, parts))
    for side in sides.values():
        side.close()
    return results


def ratio(slow, fast):
    return statistics.median(a["seconds"] / b["seconds"] for a, b in zip(slow, fast))


def table(title, results, missing):
    pipeline = results.get(ENGINES["pipeline"])
    mine = {}  # the first of a precision: one question per call, if there are both
    for (name, precision), runs in results.items():
        if name.startswith("spanforge"):
            mine.setdefault(precision, runs)
    rows = []
    for (name, precision), runs in results.items():
        seconds = statistics.median(r["seconds"] / len(r["answers"]) for r in runs)
        pairs = [] if pipeline is None else [(a, b) for x, y in zip(runs, pipeline) for a, b in zip(x["answers"], y["answers"])]
        same = f"{100 * sum(a == b for a, b in pairs) / len(pairs):.0f} %" if pairs else ""
        faster = f"{ratio(pipeline, runs):.1f}" if pipeline else ""
        rows.append([name, milliseconds(seconds), f"{1 / seconds:.1f}", faster, f"{ratio(runs, mine[precision]):.2f}", same])
    return Table(title, ["program", "a question", "questions a second", "pipeline's time : its", "its time : ours, same precision",
                         "same answers"], rows, missing)


def run(context):
    tables, raw = [], {}
    real = real_questions(context, 40 if context.quick else 1000)
    for shape in ["tiny"] if context.quick else ["base", "large"]:
        models = make_models(context, shape)
        cases = {f"{shape}, the recipe's four questions": ([(q, RECIPE[0]) for q in RECIPE[1]], 1, context.rounds(25),
                                                          {"one a call": "one", "four a call": "all"}),
                 f"{shape}, {len(real)} real questions": (real, 2 if context.quick else PARTS, context.rounds(PARTS), {"": "all"})}
        for name, (pairs, parts, rounds, at_once) in cases.items():
            file = write_questions(context.work / f"{shape}-{len(pairs)}.jsonl", pairs)
            theirs, missing = their_sides(context, models[0], file)
            results = in_turn(our_sides(context, models, file, at_once) | theirs, rounds, parts)
            tables.append(table(name, results, missing))
            raw[name] = {side: [r["seconds"] for r in runs] for (side, _), runs in results.items()}
    tables[-1].notes.append("Random weights, so answers hang on the last digits; the last column says how many equal the "
                            "pipeline's in fp32. Real questions are asked in parts that all sides answer in turn; slow ones "
                            "stop after some, and are compared on those.")
    return tables, raw
