"""Loading and checking weights, against safetensors' Python package."""
from harness import Program, Table, alternate, median, megabytes, milliseconds, ours, ratio, reference

WHAT = "load and check 1.3 GB of safetensors against the Python package; bounded by memory bandwidth"


def run(context):
    import torch
    from safetensors.torch import save_file
    file = context.work / "model.safetensors"
    layers = 4 if context.quick else 100
    if not file.exists() or file.stat().st_size < layers * 13_000_000:
        # About BERT-large: matrices of 1024 x 1024 and 1024 x 4096, vectors between them.
        save_file({f"layer.{i}.{name}": torch.randn(*shape) for i in range(layers)
                   for name, shape in (("a.weight", (1024, 1024)), ("b.weight", (2200, 1024)), ("b.bias", (2200,)))}, file)
    results = alternate({"spanforge": Program(ours("load", file, context.threads)),
                         "python": Program(reference("load", file))}, context.rounds(7))
    size = file.stat().st_size
    rows = [[name, milliseconds(median(results[key])), f"{size / 1e9 / median(results[key]):.1f}",
             megabytes(results[key]["peak_rss"]), f"{ratio(results, 'spanforge', key):.1f}"]
            for name, key in (("spanforge", "spanforge"), ("safetensors.torch.load_file, clone, isfinite", "python"))]
    notes = ["A run opens the file, copies every tensor into memory of its own and checks that each value is finite. The "
             "file is in the page cache. The copy reads and writes every byte: compare with roofline's GB/s, halved."]
    return [Table(f"{size / 1e9:.2f} GB of safetensors", ["program", "time", "GB/s", "peak memory", "ratio"], rows, notes)], results
