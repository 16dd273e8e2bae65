"""squad_v2 over 10,000 made-up questions, against the official script."""
import json
import random

from harness import Program, Table, alternate, median, milliseconds, ours, ratio, reference

WHAT = "squad_v2 of 10,000 questions against the official script (target 20x)"
WORDS = "the a an Paris London river of in 1984, Dr. co-operation U.S. naïve winter's energy and transfer".split()


def make_case(count):
    rng = random.Random(3)
    golds, predictions, odds = {}, {}, {}
    for i in range(count):
        answer = " ".join(rng.choices(WORDS, k=rng.randint(1, 6)))
        golds[f"q{i}"] = [] if rng.random() < 0.3 else [answer] * rng.randint(1, 3) + [answer + " it"]
        predictions[f"q{i}"] = rng.choice(["", answer, answer.lower(), " ".join(rng.choices(WORDS, k=4))])
        odds[f"q{i}"] = rng.random()
    return {"golds": golds, "predictions": predictions, "odds": odds}


def run(context):
    count = 1000 if context.quick else 10000
    case = context.work / "case.json"
    case.write_text(json.dumps(make_case(count)))
    results = alternate({"spanforge": Program(ours("squad", case)), "script": Program(reference("squad", case))},
                        context.rounds(9))
    for key in ("exact", "f1", "best_f1"):
        if results["spanforge"]["last"][key] != results["script"]["last"][key]:
            raise RuntimeError(f"{key} differs: {results['spanforge']['last']}, {results['script']['last']}")
    rows = [["spanforge", milliseconds(median(results["spanforge"])), "1"],
            ["official script (transformers' copy)", milliseconds(median(results["script"])),
             f"{ratio(results, 'spanforge', 'script'):.1f}"]]
    return [Table(f"squad_v2 of {count} questions, one thread", ["program", "time", "ratio"], rows,
                  ["The scores are checked to be equal to the last digit."])], results
