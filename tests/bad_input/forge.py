"""Makes files of the formats that spanforge reads, with faults in chosen places."""
import json
import pathlib
import struct
import zlib

# --- safetensors ----------------------------------------------------------------------------------


def safetensors(header, data=b"", length=None):
    """header: an object, or its bytes; length: the header's length as the file claims it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def split_safetensors(path):
    content = pathlib.Path(path).read_bytes()
    size = struct.unpack_from("<Q", content)[0]
    return json.loads(content[8:8 + size]), content[8 + size:]


def reordered(tensors):
    """A file of {name: (dtype, shape, bytes)}."""
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = tensor(shape, len(data), len(data) + len(content), dtype)
        data += content
    return safetensors(header, data)


def tensors_of(path):
    header, data = split_safetensors(path)
    return {name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
            for name, entry in header.items() if name != "__metadata__"}


# --- ZIP and pickle -------------------------------------------------------------------------------


def zip_archive(entries, method=0, crc_of=zlib.crc32):
    """entries: (name, bytes). Their sizes and checksums are right whatever `method` says."""
    out, directory = b"", b""
    for name, data in entries:
        name = name.encode()
        common = struct.pack("<HHHHHIIIHH", 20, 1 << 11, method, 0, 33, crc_of(data), len(data),
                             len(data), len(name), 0)
        directory += (b"PK\x01\x02" + struct.pack("<H", 20) + common +
                      struct.pack("<HHHII", 0, 0, 0, 0, len(out)) + name)
        out += b"PK\x03\x04" + common + name + data
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), len(out), 0)
    return out + directory + b"PK\x05\x06" + end


def torch_file(pickle, storages=((b"0", b"aaaabbbbccccdddd"),)):
    return zip_archive([("archive/data.pkl", b"\x80\x02" + pickle)] +
                       [(f"archive/data/{key.decode()}", data) for key, data in storages])


def text(value):
    value = value.encode()
    return b"X" + struct.pack("<I", len(value)) + value


def integer(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def numbers(values):
    return b"(" + b"".join(map(integer, values)) + b"t"


def pickled(value):
    """Pickles None, bools, numbers, texts, tuples, lists and dicts; bytes are opcodes that make a value."""
    if isinstance(value, bytes):
        return value
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return b"}(" + b"".join(pickled(k) + pickled(v) for k, v in value.items()) + b"u"
    items = b"".join(map(pickled, value))
    return b"(" + items + b"t" if isinstance(value, tuple) else b"](" + items + b"e"


def torch_tensor(shape, stride, offset=0, key="0", count=4):
    storage = (b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") +
               integer(count) + b"tQ")
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + integer(offset) + numbers(shape) +
            numbers(stride) + b"\x89" + b"ccollections\nOrderedDict\n)RtR")


def state_dict(value):
    return b"}" + text("w") + value + b"s."


# --- data -----------------------------------------------------------------------------------------


def squad(context, *questions, version="v2.0"):
    """questions: objects to put over {"id", "question", "answers"}."""
    qas = []
    for i, question in enumerate(questions):
        qas.append({"id": f"q{i + 1}", "question": "Who?", "answers": [], **question})
    return json.dumps({"version": version,
                       "data": [{"title": "t", "paragraphs": [{"context": context, "qas": qas}]}]})


def answer(words, start, **more):
    return {"answers": [{"text": words, "answer_start": start}], **more}
