"""The other ways to serve answers over HTTP, for bench/workloads/serving.py: FastAPI with transformers' pipeline or ONNX Runtime.

    http_answerers.py ENGINE MODEL EXPORTS THREADS
    ENGINE: pipeline or eager_bf16 (the pipeline as its documentation shows it: one request after the other) or onnx_f32
    (windows of all waiting requests in batches of at most 2,048 tokens, formed when the session is free, as ours are)

Prints the port when it is ready. Both take Hugging Face's {"inputs": ..., "parameters": ...} on POST /.
"""
import contextlib
import pathlib
import queue
import socket
import sys
import threading
from concurrent.futures import Future

from answerers import eager_bf16, empty_model, export_onnx, load_model, make_pipeline, onnx_forward

BATCH_TOKENS = 2048


class OneAfterTheOther:
    def __init__(self, pipeline):
        self.pipeline, self.lock = pipeline, threading.Lock()

    def answer(self, inputs, parameters):
        import torch
        with self.lock, torch.inference_mode():
            return self.pipeline(**inputs, **parameters)


class Batches:
    """Preparing and decoding in the server's threads; one thread computes."""

    def __init__(self, pipeline, forward):
        self.pipeline, self.forward = pipeline, forward
        self.waiting = queue.Queue()
        threading.Thread(target=self.compute, daemon=True).start()

    def answer(self, inputs, parameters):
        before, _, after = self.pipeline._sanitize_parameters(**parameters)
        example = self.pipeline.create_sample(**inputs)
        windows = [(window, Future()) for window in self.pipeline.preprocess(example, **before)]
        for item in windows:
            self.waiting.put(item)
        return self.pipeline.postprocess([{**window, **future.result()} for window, future in windows], **after)

    def compute(self):
        import numpy
        import torch
        held = None
        while True:
            batch, tokens = [held or self.waiting.get()], 0
            held = None
            longest = batch[0][0]["input_ids"].shape[1]
            with contextlib.suppress(queue.Empty):
                while True:
                    held = self.waiting.get_nowait()
                    longest = max(longest, held[0]["input_ids"].shape[1])
                    if longest * (len(batch) + 1) > BATCH_TOKENS:
                        break
                    batch.append(held)
                    held = None
            arrays = []
            for name in ("input_ids", "attention_mask", "token_type_ids"):
                rows = numpy.zeros((len(batch), max(w["input_ids"].shape[1] for w, _ in batch)), numpy.int64)
                for row, (window, _) in zip(rows, batch):
                    row[: window[name].shape[1]] = window[name][0].numpy()
                arrays.append(rows)
            start, end = self.forward(*arrays)
            for i, (window, future) in enumerate(batch):
                length = window["input_ids"].shape[1]
                future.set_result({"start": torch.from_numpy(start[i : i + 1, :length].copy()),
                                   "end": torch.from_numpy(end[i : i + 1, :length].copy())})


def make_answerer(engine, model_path, exports, threads):
    import torch
    from transformers import AutoTokenizer
    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(model_path)
    if engine == "pipeline":
        return OneAfterTheOther(make_pipeline(load_model(model_path, "sdpa"), tokenizer))
    if engine == "eager_bf16":
        model, forward = eager_bf16(model_path)
        return OneAfterTheOther(make_pipeline(model, tokenizer, forward))
    forward = onnx_forward(export_onnx(model_path, exports), threads)
    return Batches(make_pipeline(empty_model(), tokenizer, forward), forward)


def main():
    engine, model_path, exports, threads = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):  # exporters print
        import fastapi
        import httptools  # noqa: F401: what uvicorn is fastest with
        import uvicorn
        import uvloop  # noqa: F401
        answerer = make_answerer(engine, model_path, pathlib.Path(exports), int(threads))
        answerer.answer({"question": "who", "context": "she"}, {})  # warms up
    app = fastapi.FastAPI()

    @app.post("/")
    def answer(body: dict):
        return answerer.answer(body["inputs"], body.get("parameters", {}))

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, loop="uvloop", http="httptools", log_level="error", access_log=False,
                                  timeout_keep_alive=600)).run(sockets=[listener])


if __name__ == "__main__":
    main()
