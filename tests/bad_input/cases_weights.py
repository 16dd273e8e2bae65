"""model.safetensors, and the shards of an index."""
import json

import struct

from forge import reordered, safetensors, split_safetensors, tensor, tensors_of
from table import ASK, INFO, IO, MODEL, TRAIN, case, put

WEIGHTS = "m/model.safetensors"
COMMANDS = [ASK, TRAIN, INFO]


def weights(name, content, *says, exit=MODEL, commands=COMMANDS):
    make = content if callable(content) else put(WEIGHTS, content)
    case("weights/" + name, commands, exit, [r"model\.safetensors: ", *says], make)


def header(name, change, *says):
    """The good file with its header changed; the data stay."""
    def make(directory):
        path = directory / WEIGHTS
        entries, data = split_safetensors(path)
        entries = change(entries) or entries
        path.write_bytes(safetensors(entries, data))
    weights(name, make, *says)


def first(entries):
    return next(name for name in entries if name != "__metadata__")


def set_first(**fields):
    def change(entries):
        entries[first(entries)].update(fields)
    return change


F32 = tensor([1], 0, 4)
weights("empty", b"")
weights("seven-bytes", b"\0" * 7)
weights("length-2^64-1", struct.pack("<Q", 2**64 - 1) + b"{}" * 50)
weights("length-over-100-MB", lambda d: sparse(d / WEIGHTS, struct.pack("<Q", 101_000_000), 101_000_100))
weights("length-over-file", safetensors({"a": F32}, b"aaaa", length=5000))
weights("length-0", struct.pack("<Q", 0) + b"{}")
weights("bad-utf8", safetensors(b'{"\xff\xfe":' + json.dumps(F32).encode() + b"}", b"aaaa"))
weights("not-an-object", safetensors(b'["a"]'))
weights("depth-100k", safetensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000))
weights("brackets-100k", safetensors(b"[" * 100_000))
weights("duplicate-key", safetensors(b'{"a":%s,"a":%s}' % ((json.dumps(F32).encode(),) * 2), b"aaaa"))
weights("overlap", safetensors({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, b"a" * 12))
weights("hole", safetensors({"a": tensor([1], 0, 4), "b": tensor([1], 8, 12)}, b"a" * 12))
weights("trailing-bytes", lambda d: append(d / WEIGHTS, b"more"))
weights("end-before-begin", safetensors({"a": tensor([1], 4, 0)}, b"aaaa"))
weights("negative-offset", safetensors({"a": tensor([1], -4, 0)}, b"aaaa"))
weights("float-offset", safetensors({"a": tensor([1], 0, 4.0)}, b"aaaa"))
weights("offset-1e30", safetensors(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1e30]}}', b"aaaa"))
weights("three-offsets", safetensors({"a": {**F32, "data_offsets": [0, 4, 8]}}, b"a" * 8))
weights("shape-wraps-to-0", safetensors({"a": tensor([2**32, 2**32], 0, 0)}))
weights("shape-times-type-overflows", safetensors({"a": tensor([2**62], 0, 0)}))
weights("negative-size", safetensors({"a": tensor([-1], 0, 4)}, b"aaaa"))
weights("size-mismatch", safetensors({"a": tensor([3], 0, 4)}, b"aaaa"))
weights("unknown-type", safetensors({"a": tensor([1], 0, 4, "Q32")}, b"aaaa"))
weights("text-for-a-shape", safetensors({"a": tensor("1", 0, 4)}, b"aaaa"))
weights("no-type", safetensors({"a": {"shape": [1], "data_offsets": [0, 4]}}, b"aaaa"))
weights("number-metadata", safetensors({"__metadata__": {"a": 1}, "a": F32}, b"aaaa"))
weights("list-metadata", safetensors({"__metadata__": [], "a": F32}, b"aaaa"))
weights("cut-off-data", lambda d: cut(d / WEIGHTS, 100))
weights("lfs-pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 400000000\n")
weights("html-page", "<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n" * 20)
weights("million-empty-tensors", lambda d: million(d / WEIGHTS))

weights("name-of-1-MB", put(WEIGHTS, lambda: safetensors(
    {"n" * 1_000_000: tensor([3], 0, 4)}, b"aaaa")))
weights("10-MB-of-dimensions", put(WEIGHTS, lambda: safetensors(
    b'{"a":{"dtype":"F32","shape":[' + b"1," * 5_000_000 + b'1],"data_offsets":[0,4]}}', b"aaaa")))

header("missing-tensor", lambda h: {**h, "x": h.pop(first(h))})
header("other-shape", set_first(shape=[4, 1]))
header("integer-weights", lambda h: h[first(h)].update(dtype="I32"))


def poisoned(value):
    def make(directory):
        path = directory / WEIGHTS
        tensors = tensors_of(path)
        name = "bert.encoder.layer.0.output.dense.weight"
        dtype, shape, data = tensors[name]
        tensors[name] = dtype, shape, data[:40] + struct.pack("<f", value) + data[44:]
        path.write_bytes(reordered(tensors))
    return make


weights("nan", poisoned(float("nan")), commands=[ASK, TRAIN])
weights("inf", poisoned(float("-inf")), commands=[ASK, TRAIN])


# --- names -----------------------------------------------------------------------------------------


def renamed(change):
    def make(directory):
        path = directory / WEIGHTS
        path.write_bytes(reordered({change(name): entry for name, entry in tensors_of(path).items()}))
    return make


case("weights/gamma-and-beta-are-read", [ASK, TRAIN], 0, [], renamed(
    lambda n: n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias",
                                                                      "LayerNorm.beta")))
case("weights/no-prefix-is-read", [ASK, TRAIN], 0, [], renamed(lambda n: n.removeprefix("bert.")))
case("weights/behind-a-prefix-is-read", [ASK, TRAIN, INFO], 0, [], renamed(lambda n: "module." + n))
weights("another-prefix", renamed(lambda n: n.replace("bert.", "electra.")))


def both_names(directory):
    path = directory / WEIGHTS
    tensors = tensors_of(path)
    tensors["bert.embeddings.LayerNorm.gamma"] = tensors["bert.embeddings.LayerNorm.weight"]
    path.write_bytes(reordered(tensors))


weights("gamma-beside-weight", both_names)


def two_encoders(directory):
    path = directory / WEIGHTS
    path.write_bytes(reordered({side + name: entry for side in ("question.", "context.")
                                for name, entry in tensors_of(path).items()}))


weights("two-encoders", two_encoders)


def of_another_framework(name, content=b"x"):
    def make(directory):
        (directory / WEIGHTS).unlink()
        (directory / "m" / name).write_bytes(content)
    case("weights/" + name, COMMANDS, MODEL, [r"^spanforge: m: ", name.replace(".", r"\.")], make)


for other in ("tf_model.h5", "bert_model.ckpt.index", "flax_model.msgpack", "model.onnx", "model.gguf",
              "model_state.pdparams", "adapter_model.safetensors"):
    of_another_framework(other)
of_another_framework("best.pt", b"PK\x03\x04")


# --- shards ----------------------------------------------------------------------------------------


def sharded(change):
    """m/ in two shards and an index; `change` gets directory, weight_map and the shards' tensors."""
    def make(directory):
        model = directory / "m"
        tensors = tensors_of(model / "model.safetensors")
        (model / "model.safetensors").unlink()
        shards = {"a.safetensors": {}, "b.safetensors": {}}
        place = {}
        for i, (name, entry) in enumerate(tensors.items()):
            place[name] = list(shards)[i % 2]
            shards[place[name]][name] = entry
        place = change(directory, place, shards) or place
        for name, content in shards.items():
            (model / name).write_bytes(reordered(content))
        (model / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": place}))
    return make


def shards(name, change, *says, exit=MODEL):
    case("shards/" + name, COMMANDS, exit, list(says), sharded(change))


def moved(to):
    return lambda directory, place, shards: {name: to if at == "a.safetensors" else at
                                             for name, at in place.items()}


def outside(directory, place, shards):
    (directory / "a.safetensors").write_bytes(reordered(shards["a.safetensors"]))
    return moved("../a.safetensors")(directory, place, shards)


INDEX = r"model\.safetensors\.index\.json"
case("shards/are-read", COMMANDS, 0, [], sharded(lambda *_: None))
shards("missing", lambda d, place, s: s.pop("b.safetensors") and None, r"b\.safetensors: ", exit=IO)
shards("above-the-directory", outside, INDEX)
shards("absolute", moved("/etc/passwd"), INDEX)
shards("dot-dot", moved(".."), INDEX)
shards("nul", moved("a.safetensors\0x"), INDEX)
shards("number", moved(7), INDEX)
shards("empty-map", lambda d, place, s: place.clear(), INDEX)


def swapped(directory, place, shards):
    name = next(iter(place))
    place[name] = "b.safetensors"


def in_two(directory, place, shards):
    name = next(iter(shards["a.safetensors"]))
    shards["b.safetensors"][name] = shards["a.safetensors"][name]


def unlisted(directory, place, shards):
    place.pop(next(iter(place)))


def lacking(directory, place, shards):
    shards["a.safetensors"].pop(next(iter(shards["a.safetensors"])))


shards("tensor-in-the-wrong-one", swapped, r"a\.safetensors: ")
shards("tensor-in-two", in_two, r"b\.safetensors: ")
shards("tensor-not-listed", unlisted, r"a\.safetensors: ")
shards("tensor-not-there", lacking, INDEX)
case("shards/index-not-json", COMMANDS, MODEL, INDEX, lambda d: (
    (d / WEIGHTS).unlink(), put("m/model.safetensors.index.json", "{")(d)))
case("shards/index-without-map", COMMANDS, MODEL, INDEX, lambda d: (
    (d / WEIGHTS).unlink(), put("m/model.safetensors.index.json", '{"a": 1}')(d)))
case("weights/none", COMMANDS, IO, ["m: has no weights"], lambda d: (d / WEIGHTS).unlink())


# --- helpers ---------------------------------------------------------------------------------------


def sparse(path, start, size):
    path.write_bytes(start)
    with open(path, "r+b") as file:
        file.truncate(size)


def append(path, data):
    path.write_bytes(path.read_bytes() + data)


def cut(path, count):
    path.write_bytes(path.read_bytes()[:-count])


def million(path):
    with open(path, "wb") as file:
        file.write(b"\0" * 8 + b"{")
        for i in range(1_000_000):
            file.write(b'%s"tensor.%07d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' %
                       (b"," if i else b"", i))
        file.write(b"}")
        size = file.tell() - 8
        file.seek(0)
        file.write(struct.pack("<Q", size))
