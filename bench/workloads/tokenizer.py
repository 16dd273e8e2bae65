"""WordPiece and byte-level BPE on paragraphs, against Hugging Face tokenizers."""
import json

from harness import Program, Skipped, Table, alternate, median, ours, paragraphs, ratio, reference, vocabulary

WHAT = ("WordPiece and byte-level BPE on Chinese and English paragraphs against Hugging Face tokenizers, one thread and "
        "all (target 10x)")
FILES = ("vocab.json", "merges.txt")


def compare(context, model, texts, threads):
    """Seconds and ratios of our two forms and the library's two, in turn."""
    parallel = {"TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false", "RAYON_NUM_THREADS": threads}
    return alternate({
        "tokenize": Program(ours("tokenizer", model, texts, threads, "tokenize")),
        "encode": Program(ours("tokenizer", model, texts, threads, "encode")),
        "hf": Program(reference("tokenizer", model, texts, "encode_batch"), **parallel),
        "hf fast": Program(reference("tokenizer", model, texts, "encode_batch_fast"), **parallel),
    }, context.rounds(9))


def roberta(context):
    """A directory with roberta-base's vocab.json and merges.txt; None if the data have none."""
    real = context.data / "tokenizers/roberta-base" if context.data else None
    if not real or not all((real / name).exists() for name in FILES):
        return None
    directory = context.work / "roberta"
    directory.mkdir(exist_ok=True)
    for name in FILES:
        (directory / name).write_bytes((real / name).read_bytes())
    (directory / "config.json").write_text('{"model_type": "roberta"}')
    return directory


def table(context, name, model, notes, raw):
    rows = []
    for language in ("zh", "en"):
        try:
            texts = paragraphs(context, language)
        except Skipped as reason:
            notes.append(f"Left out: {reason}.")
            continue
        if context.quick:
            texts = texts[:200]
        file = context.work / f"{language}.json"
        file.write_text(json.dumps(texts), encoding="utf-8")
        size = sum(len(t.encode()) for t in texts)
        for threads in sorted({1, context.threads}):
            results = compare(context, model, file, threads)
            if len({r["last"]["tokens"] for r in results.values()}) != 1:
                raise RuntimeError(f"the numbers of tokens differ: {results}")
            speed = {form: f"{size / 1e6 / median(r):.1f}" for form, r in results.items()}
            rows.append([f"{language}, {size / 1e6:.1f} MB", threads, speed["tokenize"], speed["encode"], speed["hf"],
                         speed["hf fast"], f"{ratio(results, 'tokenize', 'hf'):.1f}",
                         f"{ratio(results, 'tokenize', 'hf fast'):.1f}", f"{ratio(results, 'encode', 'hf'):.1f}"])
            raw[f"{name} {language} {threads}"] = results
    columns = ["texts", "threads", "tokenize", "encode", "HF encode_batch", "HF encode_batch_fast",
               "tokenize : encode_batch", "tokenize : encode_batch_fast", "encode : encode_batch"]
    return Table(name, columns, rows, notes)


def run(context):
    raw = {}
    tables = [table(context, "WordPiece", vocabulary(context), [
        "MB/s. tokenize: ids, offsets and word ids in flat arrays, as training and answering use them; encode: "
        "all that the library's Encoding holds. encode_batch_fast is the library's form without offsets. The "
        "numbers of tokens are checked to be equal; equality of every id and offset is "
        "tests/oracle/oracle_tokenizer.py's matter."], raw)]
    model = roberta(context)
    if model:
        tables.append(table(context, "Byte-level BPE (roberta-base)", model, [], raw))
    return tables, raw
