# SPDX-License-Identifier: Apache-2.0
"""Archives, good and bad, by the status that loading them must give, and what must hold of a rewritten one.

ARCHIVES: {name: (function giving the bytes, the member that the message must name, or None)}; the name starts with
the status: ok, corrupt, unsupported, too_large, not_a_model. `python archives.py FOLDER` writes them all there."""

import gzip
import io
import pathlib
import struct
import sys
import zipfile

import edge_models

STATUSES = ("ok", "corrupt", "unsupported", "too_large", "not_a_model")
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
NOTES = b"What a reader of this archive should know. " * 20
LABELS = "\n".join(f"label {i}" for i in range(50)).encode()
END = b"PK\5\6"
ALIGNMENT = 16

ARCHIVES = {}


def archive(member=None):
    def take(function):
        assert function.__name__.startswith(STATUSES)
        ARCHIVES[function.__name__] = function, member
        return function

    return take


def status(name):
    """"TQ_ERR_CORRUPT" of corrupt_crc_of_a_member"""
    word = next(s for s in STATUSES if name.startswith(s)).upper()
    return "TQ_OK" if word == "OK" else f"TQ_ERR_{word}"


def write_all(folder):
    for name, (make, _) in ARCHIVES.items():
        (folder / f"{name}.zip").write_bytes(make())


# ---- making them ----


class Pipe(io.RawIOBase):
    """Can't seek, so that zipfile writes data descriptors."""

    def __init__(self):
        self.raw = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.raw += data
        return len(data)


def entry(name, method=STORED, extra=b"", comment=b""):
    info = zipfile.ZipInfo(name, (2024, 2, 29, 12, 34, 56))
    info.compress_type, info.extra, info.comment = method, extra, comment
    info.external_attr = (0o40750 if name.endswith("/") else 0o100640) << 16
    return info


def model(name="conv_with_bias"):
    return edge_models.MODELS[name]()


def usual(method=STORED, **more):
    """A model, a text, a directory with another model in it, and a text of no bytes."""
    return [
        (entry("model.tflite", method, **more), model()),
        (entry("notes.txt", method, **more), NOTES),
        (entry("more/"), b""),
        (entry("more/fc.tflite", method, **more), model("fully_connected_with_signature")),
        (entry("empty.txt", STORED, **more), b""),
    ]


def zipped(members, comment=b"", stream=None, force_zip64=False, finish=None):
    """`finish` gets the archive before its directory is written."""
    stream = stream or io.BytesIO()
    with zipfile.ZipFile(stream, "a" if stream.seekable() else "w") as z:
        for info, content in members:
            with z.open(info, "w", force_zip64=force_zip64) as f:
                f.write(content)
        z.comment = comment
        if finish:
            finish(z)
    return bytes(stream.raw) if isinstance(stream, Pipe) else stream.getvalue()


def one(name, content, method=STORED):
    return zipped([(entry(name, method), content)])


def nested(levels, method=STORED):
    """That many archives, one in the other, around a model."""
    raw = one("model.tflite", model(), method)
    for _ in range(levels - 1):
        raw = one("inner.zip", raw, method)
    return raw


def poke(raw, value, size=2, member=None, local=None, central=None, end=None):
    """Another value at these places of a member's local header and of its record in the directory, and of the
    end record."""
    data = bytearray(raw)

    def put(at):
        data[at : at + size] = value.to_bytes(size, "little")

    with zipfile.ZipFile(io.BytesIO(raw)) as z:
        record = z.start_dir
        for info in z.infolist():
            if info.filename == member and local is not None:
                put(info.header_offset + local)
            if info.filename == member and central is not None:
                put(record + central)
            record += 46 + sum(struct.unpack_from("<HHH", raw, record + 28))
    if end is not None:
        put(raw.rindex(END) + end)
    return bytes(data)


def swapped(raw, old, new):
    assert old in raw and len(old) == len(new)
    return raw.replace(old, new)


# ---- good ones ----


@archive()
def ok_stored():
    return zipped(usual())


@archive()
def ok_deflated():
    return zipped(usual(DEFLATED))


@archive()
def ok_comments():
    return zipped(usual(comment=b"of a member"), comment=b"of the archive")


@archive()
def ok_extra_fields():
    return zipped(usual(extra=struct.pack("<HHI", 0x7654, 4, 99)))


@archive()
def ok_descriptors():
    return zipped(usual(DEFLATED), stream=Pipe())


@archive()
def ok_descriptors_stored():
    return zipped(usual(), stream=Pipe())


@archive()
def ok_zip64():
    return zipped(usual(), force_zip64=True)


@archive()
def ok_zip64_descriptors():
    return zipped(usual(DEFLATED), stream=Pipe(), force_zip64=True)


@archive()
def ok_prefix():
    """As `cat stub archive` makes it: offsets count from behind the stub."""
    return b"#!/bin/sh\nexit 1\n" + zipped(usual())


@archive()
def ok_prefix_counted():
    """Offsets count from the start of the file."""
    stream = io.BytesIO()
    stream.write(b"#!/bin/sh\nexit 1\n")
    return zipped(usual(), stream=stream)


@archive()
def ok_bytes_between_members():
    def finish(z):
        z.fp.seek(z.start_dir)
        z.fp.write(b"of no use")
        z.start_dir = z.fp.tell()
        z.writestr(entry("last.txt"), LABELS)

    return zipped(usual(), finish=finish)


@archive()
def ok_directory_in_another_order():
    return zipped(usual(), finish=lambda z: z.filelist.reverse())


@archive()
def ok_zeros_behind():
    return zipped(usual()) + bytes(7)


@archive()
def ok_nested():
    inner = zipped(usual(), comment=b"inner")
    return zipped([(entry("inner.task"), inner), (entry("labels.txt"), LABELS), (entry("a.tflite"), model())])


@archive()
def ok_nested_deflated():
    return zipped([(entry("labels.txt"), LABELS), (entry("inner.task", DEFLATED), zipped(usual(DEFLATED)))])


@archive()
def ok_nested_four_levels():
    return nested(4)


@archive()
def ok_empty_directories():
    return zipped([(entry("a/"), b""), (entry("a/b/"), b""), (entry("m.tflite"), model()), (entry("z/"), b"")])


@archive()
def ok_without_members():
    return zipped([])


@archive()
def ok_without_models():
    return zipped([(entry("notes.txt"), NOTES), (entry("labels.txt", DEFLATED), LABELS)])


@archive()
def ok_names():
    """In UTF-8, in code page 437, and looking like tricks while they are none."""
    names = ["schlüssel.tflite", "模型.txt", "...", "a..b/..c", "./here"]
    raw = zipped([(entry(n), model() if "tflite" in n else NOTES) for n in names] + [(entry("old_1.txt"), NOTES)])
    return swapped(raw, b"old_1", b"old_\x81")


@archive()
def ok_many_members():
    return zipped([(entry(f"{i}.txt"), b"%d" % i) for i in range(3000)] + [(entry("m.tflite"), model())])


# ---- what can't be kept ----


@archive("notes.txt")
def unsupported_encrypted():
    return poke(zipped(usual()), 1, member="notes.txt", local=6, central=8)


@archive("notes.txt")
def unsupported_encrypted_strongly():
    return poke(zipped(usual()), 0x41, member="notes.txt", local=6, central=8)


@archive("notes.txt")
def unsupported_encrypted_directory():
    return poke(zipped(usual()), 0x2000, member="notes.txt", central=8)


@archive("model.tflite")
def unsupported_method_bzip2():
    return zipped(usual(zipfile.ZIP_BZIP2))


@archive("model.tflite")
def unsupported_method_lzma():
    return zipped(usual(zipfile.ZIP_LZMA))


@archive()
def unsupported_two_disks():
    return poke(zipped(usual()), 1, end=4)


@archive("notes.txt")
def unsupported_member_on_another_disk():
    return poke(zipped(usual()), 1, member="notes.txt", central=34)


@archive("inner.zip")
def unsupported_nested_too_deep():
    return nested(6)


@archive("inner.zip")
def unsupported_nested_encrypted():
    return one("inner.zip", unsupported_encrypted())


# ---- damaged, or made to deceive ----


@archive("notes.txt")
def corrupt_crc_of_a_member():
    return swapped(zipped(usual()), NOTES, NOTES.swapcase())


@archive("model.tflite")
def corrupt_deflated_data():
    raw = bytearray(one("model.tflite", model(), DEFLATED))
    at = 30 + len("model.tflite") + 100
    raw[at : at + 100] = bytes(100)
    return bytes(raw)


@archive("notes.txt")
def corrupt_size_lies():
    return poke(zipped(usual(DEFLATED)), len(NOTES) + 1, 4, member="notes.txt", local=22, central=24)


@archive("notes.txt")
def corrupt_size_lies_in_the_directory():
    return poke(zipped(usual(DEFLATED)), len(NOTES) + 1, 4, member="notes.txt", central=24)


@archive("notes.txt")
def corrupt_size_beyond_the_file():
    return poke(zipped(usual()), 1 << 31, 4, member="notes.txt", local=18, central=20)


@archive("notes.txt")
def corrupt_offset_beyond_the_file():
    return poke(zipped(usual()), 1 << 31, 4, member="notes.txt", central=42)


@archive("notes.txt")
def corrupt_two_names():
    return poke(zipped(usual()), ord("m"), 1, member="notes.txt", local=30)


@archive("notes.txt")
def corrupt_two_methods():
    return poke(zipped(usual()), DEFLATED, member="notes.txt", local=8)


@archive("notes.txt")
def corrupt_descriptor():
    raw = zipped([(entry("notes.txt"), NOTES)], stream=Pipe())
    sizes = struct.pack("<II", len(NOTES), len(NOTES))
    at = raw.index(sizes, raw.index(b"PK\7\10"))
    return raw[:at] + struct.pack("<II", 1, 2) + raw[at + 8 :]


@archive("outer.bin")
def corrupt_overlapping_members():
    """One member's content is another member, header and all."""
    inner = one("inner.txt", NOTES)

    def finish(z):
        info = zipfile.ZipFile(io.BytesIO(inner)).infolist()[0]
        info.header_offset = 30 + len("outer.bin")
        z.filelist.append(info)

    return zipped([(entry("outer.bin"), inner[: inner.rindex(b"PK\1\2")])], finish=finish)


@archive("twice_1")
def corrupt_duplicate_names():
    return swapped(zipped([(entry("twice_1"), NOTES), (entry("twice_2"), LABELS)]), b"twice_2", b"twice_1")


@archive("../x")
def corrupt_path_parent():
    return one("../x", NOTES)


@archive("a/../../x")
def corrupt_path_parent_within():
    return one("a/../../x", NOTES)


@archive("/x")
def corrupt_path_absolute():
    return one("/x", NOTES)


@archive("C:/x")
def corrupt_path_drive():
    return one("C:/x", NOTES)


@archive("a\\x")
def corrupt_path_backslash():
    return one("a\\x", NOTES)


@archive("a?x")
def corrupt_path_nul():
    return swapped(one("a_x", NOTES), b"a_x", b"a\0x")


@archive()
def corrupt_truncated_directory():
    raw = zipped(usual())
    return raw[: raw.rindex(b"PK\1\2") + 20]


@archive()
def corrupt_truncated_in_half():
    raw = zipped(usual())
    return raw[: len(raw) // 2]


@archive()
def corrupt_truncated_by_a_byte():
    return zipped(usual())[:-1]


@archive()
def corrupt_too_many_members_claimed():
    return poke(poke(zipped(usual()), 6, end=8), 6, end=10)


@archive()
def corrupt_too_few_members_claimed():
    return poke(poke(zipped(usual()), 4, end=8), 4, end=10)


@archive()
def corrupt_directory_elsewhere():
    return poke(zipped(usual()), 1 << 31, 4, end=16)


@archive()
def corrupt_goes_on_behind_its_end():
    return zipped(usual()) + b"more"


@archive("model.tflite")
def corrupt_model():
    return one("model.tflite", model()[:500])


@archive("inner.zip")
def corrupt_nested_crc():
    return one("inner.zip", corrupt_crc_of_a_member(), DEFLATED)


# ---- made to fill memory ----


@archive("zeros.bin")
def too_large_bomb():
    return one("zeros.bin", bytes(70 << 20), DEFLATED)


@archive("zeros_2.bin")
def too_large_together():
    return zipped([(entry(f"zeros_{i}.bin", DEFLATED), bytes(24 << 20)) for i in range(3)])


@archive("inner.zip")
def too_large_nested_bomb():
    return one("inner.zip", too_large_bomb(), DEFLATED)


# ---- something else ----


@archive()
def not_a_model_text():
    return NOTES


@archive()
def not_a_model_empty():
    return b""


@archive()
def not_a_model_zeros():
    return bytes(4096)


@archive()
def not_a_model_gzip():
    return gzip.compress(model(), mtime=0)


# ---- what must hold of an archive with smaller models in it ----


def is_model(content):
    return content[4:8] == b"TFL3"


def is_archive(content):
    return content[:4] in (b"PK\3\4", END)


def payload(raw, info):
    """Where the member's data starts, in the file."""
    return info.header_offset + 30 + sum(struct.unpack_from("<HH", raw, info.header_offset + 26))


def without_zip64(extra):
    """The extra fields but for the one with sizes."""
    kept, at = b"", 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        kept += extra[at : at + 4 + size] if kind != 1 else b""
        at += 4 + size
    return kept


def described(info):
    return (
        info.filename, info.date_time, info.external_attr, info.internal_attr, info.create_system, info.comment,
        without_zip64(info.extra),
    )


def check(before, after, start=0, aligned=True):
    """All but the models is as it was, and those that changed are smaller, stored and aligned; not `aligned`:
    stored or deflated as they were. `start`: byte of the file that the archive starts at. Returns {path: (model
    before, model after)}."""
    found = {}
    with zipfile.ZipFile(io.BytesIO(before)) as a, zipfile.ZipFile(io.BytesIO(after)) as b:
        assert b.testzip() is None
        assert b.comment == a.comment
        assert [described(i) for i in b.infolist()] == [described(i) for i in a.infolist()]
        for old, new in zip(a.infolist(), b.infolist()):
            x, y = a.read(old), b.read(new)
            at = start + payload(after, new)
            if is_archive(x):
                inner = check(x, y, at, aligned)
                found.update({f"{old.filename}/{path}": pair for path, pair in inner.items()})
            elif is_model(x):
                found[old.filename] = x, y
                assert len(y) < len(x) or y == x, old.filename
            else:
                assert x == y, old.filename
            if x == y or not aligned:
                assert new.compress_type == old.compress_type, old.filename
            else:
                assert new.compress_type == STORED and at % ALIGNMENT == 0, f"{old.filename} at byte {at}"
    return found


if __name__ == "__main__":
    write_all(pathlib.Path(sys.argv[1]))
