"""pytorch_model.bin: ZIP archives and the pickles in them."""
import struct

from forge import state_dict, text, torch_file, torch_tensor, zip_archive
from table import ASK, INFO, MODEL, TRAIN, case, put

COMMANDS = [ASK, TRAIN, INFO]


def torch(name, content, *says):
    def make(directory):
        (directory / "m/model.safetensors").unlink()
        (content if callable(content) else put("m/pytorch_model.bin", content))(directory)
    case("torch/" + name, COMMANDS, MODEL, [r"pytorch_model\.bin: ", *says], make)


SOUND = [("archive/data.pkl", b"\x80\x02}."), ("archive/data/0", b"aaaa")]
GOOD = torch_tensor([2, 2], [2, 1])

torch("no-weights-of-this-model", torch_file(state_dict(GOOD)))
torch("empty", b"")
torch("not-a-torch-file", b"hello" * 100)
torch("two-state-dicts", torch_file(b"}" + b"".join(
    text(name) + state_dict(GOOD)[:-1] + b"s" for name in ("student", "teacher")) + b"."), "student")
torch("lfs-pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
torch("html-page", "<!DOCTYPE html><html></html>")

# The pickle.
torch("os-system", torch_file(b"cposix\nsystem\n" + text("touch pwned") + b"\x85R."))
torch("os-system-in-a-state", torch_file(state_dict(b"cos\nsystem\n" + text("touch pwned") + b"\x85R")))
torch("eval", torch_file(b"c__builtin__\neval\n" + text("open('pwned', 'w')") + b"\x85R."))
torch("global-from-the-stack", torch_file(text("subprocess") + text("run") + b"\x93."))
torch("unknown-global", torch_file(b"cmymodule\nMyClass\n)R."))
torch("call-of-what-is-only-named", torch_file(b"cbuiltins\nint\n)R."))
torch("stack-underflow", torch_file(b"0."))
torch("reduce-on-an-empty-stack", torch_file(b"R."))
torch("no-mark", torch_file(b"t."))
torch("text-of-4-GB", torch_file(b"\x8d" + struct.pack("<Q", 4 << 30) + b"abc."))
torch("bytes-of-2^64-1", torch_file(b"\x8e" + struct.pack("<Q", 2**64 - 1) + b"abc."))
torch("integer-of-4-GB", torch_file(b"\x8b" + struct.pack("<I", 2**32 - 1) + b"."))
torch("memo-bomb", torch_file(b"]q\0" + b"".join(
    b"](" + b"h%c" % i * 10 + b"e" + b"q%c" % (i + 1) for i in range(40)) + b"."))
torch("memo-never-set", torch_file(b"h\x07."))
torch("list-in-itself", torch_file(b"]q\0h\0a."))
torch("depth-100k", torch_file(b"]" * 100_000 + b"a" * 99_999 + b"."))
torch("marks-1M", torch_file(b"(" * 1_000_000 + b"."))
torch("no-stop", torch_file(b"}"))
torch("protocol-9", torch_file(b"\x80\x09}."))
torch("bare-list", torch_file(b"]."))
torch("a-number-for-a-tensor", torch_file(state_dict(b"K\x01")))

# Tensors.
torch("stride-out-of-range", torch_file(state_dict(torch_tensor([2, 2], [1000, 1]))))
torch("stride-overflows", torch_file(state_dict(torch_tensor([2, 3], [2**62, 2**62]))))
torch("stride-negative", torch_file(state_dict(torch_tensor([2], [-1]))))
torch("offset-out-of-range", torch_file(state_dict(torch_tensor([2], [1], offset=3))))
torch("offset-negative", torch_file(state_dict(torch_tensor([2], [1], offset=-1))))
torch("shape-huge-with-stride-0", torch_file(state_dict(torch_tensor([2**40], [0]))))
torch("shape-1-GB-with-stride-0", torch_file(state_dict(torch_tensor([2**28], [0]))))
torch("shape-wraps-to-0", torch_file(state_dict(torch_tensor([2**32, 2**32], [0, 0]))))
torch("hundred-dimensions", torch_file(state_dict(torch_tensor([1] * 100, [1] * 100))))
torch("storage-smaller-than-said", torch_file(state_dict(torch_tensor([64], [1], count=64))))
torch("storage-not-there", torch_file(state_dict(torch_tensor([1], [1], key="9"))))
torch("storage-outside-the-archive", torch_file(state_dict(torch_tensor([1], [1], key="../../m/config.json"))))

# The archive.
torch("zip-compressed", zip_archive(SOUND, method=8))
torch("zip-bomb", zip_archive(SOUND[:1] + [("archive/data/0", b"\x4b" + b"\0" * 100_000)], method=8))
torch("zip-entry-dot-dot", zip_archive(SOUND + [("archive/../../pwned", b"x")]))
torch("zip-entry-absolute", zip_archive(SOUND + [("/etc/pwned", b"x")]))
torch("zip-entry-backslash", zip_archive(SOUND + [("archive\\..\\pwned", b"x")]))
torch("zip-entry-twice", zip_archive(SOUND + [("archive/data/0", b"bbbb")]))
torch("zip-bad-checksum", zip_archive(SOUND, crc_of=lambda data: 7))
torch("zip-no-pickle", zip_archive(SOUND[1:]))
torch("zip-no-entries", zip_archive([]))
torch("zip-cut-off-directory", zip_archive(SOUND)[:-30])
torch("zip-cut-off-end", zip_archive(SOUND)[:-10])
torch("zip-entries-65535", zip_archive(SOUND)[:-14] + struct.pack("<HHIIH", 65535, 65535, 200, 0, 0))


def overlapping():
    one = zip_archive(SOUND[:1])
    at = one.index(b"PK\x01\x02")
    record = one[at:-22]
    other = record.replace(b"data.pkl", b"data.pkm")
    return one[:at] + record + other + b"PK\x05\x06" + struct.pack(
        "<HHHHIIH", 0, 0, 2, 2, 2 * len(record), at, 0)


torch("zip-entries-overlap", overlapping())
torch("legacy-cut-off", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")
torch("legacy-other-version", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." +
      b"\x80\x02M\xea\x03.")
torch("legacy-storage-of-4-GB", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." +
      b"\x80\x02M\xe9\x03." + b"\x80\x02}." + b"\x80\x02" + state_dict(torch_tensor([1], [1])) +
      b"\x80\x02]" + text("0") + b"a." + struct.pack("<Q", 1 << 30))
