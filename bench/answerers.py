"""The other ways to answer questions on a CPU, for bench/workloads/answering.py.

    answerers.py ENGINE MODEL QUESTIONS.jsonl EXPORTS THREADS
    ENGINE: pipeline, eager_bf16, onnx_f32, onnx_int8, openvino_f32, openvino_bf16, openvino_int8

Every engine goes from text to answers through transformers' own question-answering pipeline: its
tokenizer, windows and decoding; only what computes the logits changes. Exported models stay in
EXPORTS. "run K N" answers every question whose number is K modulo N, one after the other, and reports the
answers.
"""
import contextlib
import json
import pathlib
import sys

from references import answer_runs


def load_questions(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def make_pipeline(model, tokenizer, forward=None):
    """forward(ids, mask, types), numpy arrays -> start and end logits; None: the model itself."""
    import torch
    from transformers import QuestionAnsweringPipeline

    class Other(QuestionAnsweringPipeline):
        def _forward(self, inputs):
            arrays = [inputs[k].numpy() for k in ("input_ids", "attention_mask", "token_type_ids")]
            start, end = forward(*arrays)
            return {"start": torch.from_numpy(start), "end": torch.from_numpy(end), **inputs}

    kind = Other if forward else QuestionAnsweringPipeline
    return kind(model=model, tokenizer=tokenizer, framework="pt", device=-1)


def load_model(path, attention):
    from transformers import BertForQuestionAnswering
    return BertForQuestionAnswering.from_pretrained(path, attn_implementation=attention).eval()


def empty_model():
    """What a pipeline needs in addition to a forward of its own: little more than the model's class."""
    from transformers import BertConfig, BertForQuestionAnswering
    return BertForQuestionAnswering(BertConfig(vocab_size=8, hidden_size=4, num_hidden_layers=1, num_attention_heads=1,
                                               intermediate_size=4))


def export_onnx(model_path, exports):
    """Writes under another name first, so that a truncated file is not taken for the whole."""
    import torch
    path = exports / "model.onnx"
    if path.exists():
        return path
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = tuple(torch.ones(1, 16, dtype=torch.long) for _ in names)

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = load_model(model_path, "eager")

        def forward(self, ids, mask, types):
            out = self.model(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return out.start_logits, out.end_logits

    axes = {name: {0: "batch", 1: "length"} for name in names + ["start", "end"]}
    unfinished = exports / "unfinished.onnx"
    torch.onnx.export(Logits().eval(), example, unfinished, input_names=names, output_names=["start", "end"],
                      dynamic_axes=axes, opset_version=17, dynamo=False)
    unfinished.rename(path)
    return path


def eager_bf16(model_path):
    import torch
    model = load_model(model_path, "sdpa").to(torch.bfloat16)

    def forward(*arrays):
        out = model(*map(torch.from_numpy, arrays))
        return out.start_logits.float().numpy(), out.end_logits.float().numpy()

    return model, forward


def onnx_forward(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda ids, mask, types: session.run(
        None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": types})


def quantised_onnx(path):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    out = path.with_name("model_int8.onnx")
    if not out.exists():
        quantize_dynamic(str(path), str(out), weight_type=QuantType.QInt8)
    return out


def openvino_forward(path, precision, threads, calibration):
    import openvino
    core = openvino.Core()
    model = core.read_model(str(path))
    if precision == "int8":
        import nncf
        saved = path.with_name("openvino_int8.xml")
        if not saved.exists():
            model = nncf.quantize(model, nncf.Dataset(calibration()), model_type=nncf.ModelType.TRANSFORMER,
                                  subset_size=16)
            openvino.save_model(model, str(saved), compress_to_fp16=False)
        model = core.read_model(str(saved))
    hint = {"f32": "f32", "bf16": "bf16", "int8": "f32"}[precision]
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY",
                                                 "INFERENCE_NUM_THREADS": threads})
    request = compiled.create_infer_request()

    def forward(*arrays):
        result = request.infer(list(arrays), share_inputs=True)
        return [result[i].copy() for i in range(2)]
    return forward


def calibration_inputs(tokenizer, questions):
    for q in questions[:16]:
        encoded = tokenizer(q["question"], q["context"], truncation="only_second", max_length=384, return_tensors="np")
        yield {k: encoded[k] for k in ("input_ids", "attention_mask", "token_type_ids")}


def main():
    with contextlib.redirect_stdout(sys.stderr):  # exporters print, and standard output is for answers
        answer, questions = prepare()

    def run(part, parts):
        import torch
        with torch.inference_mode():
            return {"answers": [answer(question=q["question"], context=q["context"])["answer"]
                                for q in questions[part::parts]]}
    run(0, len(questions))  # warms up
    answer_runs(run)


def prepare():
    engine, model_path, questions_path, exports, threads = sys.argv[1:]
    import torch
    from transformers import AutoTokenizer
    torch.set_num_threads(int(threads))
    exports, questions = pathlib.Path(exports), load_questions(questions_path)
    tokenizer = AutoTokenizer.from_pretrained(model_path)
    forward = None
    if engine == "pipeline":
        model = load_model(model_path, "sdpa")
    elif engine == "eager_bf16":
        model, forward = eager_bf16(model_path)
    else:
        model = empty_model()
        path = export_onnx(model_path, exports)
        kind, precision = engine.split("_")
        if kind == "onnx":
            forward = onnx_forward(quantised_onnx(path) if precision == "int8" else path, int(threads))
        else:
            forward = openvino_forward(path, precision, int(threads),
                                       lambda: list(calibration_inputs(tokenizer, questions)))
    return make_pipeline(model, tokenizer, forward), questions


if __name__ == "__main__":
    main()
