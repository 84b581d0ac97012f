"""Plain and compressed files: read whole or refused in one line, never blown up."""

import gzip
import lzma
import os
import subprocess
import threading
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from traces.compression import COMPRESSIONS, compressed, plain_name
from traces.files import HEAD_BYTES, read_head, read_text, text_parts, watched


def in_parts(path):
    return "".join(text_parts(path))


PACK = {"gzip": lambda data: gzip.compress(data, mtime=0), "xz": lzma.compress}


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200), st.sampled_from([None, *PACK]))
def test_text_comes_back(tmp_path_factory, text, form):
    path = tmp_path_factory.getbasetemp() / "text"
    # A byte order mark in front is none of the text.
    data = text.encode("utf-8-sig")
    path.write_bytes(data if form is None else PACK[form](data))
    assert read_text(path) == text
    assert in_parts(path) == text
    assert read_head(path) == text


@pytest.mark.parametrize("form", PACK)
def test_a_file_cut_anywhere_is_refused(tmp_path, form):
    whole = PACK[form](bytes(range(32, 127)) * 20)
    path = tmp_path / "cut"
    for length in range(len(COMPRESSIONS[form == "xz"].magic), len(whole)):
        path.write_bytes(whole[:length])
        for read in (read_text, in_parts):
            with pytest.raises(InputError, match=f"not a whole {form} file") as refused:
                read(path)
            assert "\n" not in str(refused.value)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, data):
    form = data.draw(st.sampled_from(sorted(PACK)))
    whole = bytearray(PACK[form](b"a line of a dump\n" * 9))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(whole))
    for read in (read_text, in_parts, read_head):
        refusal = None
        try:
            read(path)
        except InputError as error:
            refusal = str(error)
        assert refusal is None or refusal.startswith(str(path))


@pytest.mark.parametrize("form", PACK)
def test_a_bomb_is_refused_without_being_unpacked(tmp_path, monkeypatch, form):
    monkeypatch.setattr("traces.files.MAX_BYTES", 1 << 20)
    path = tmp_path / "bomb"
    path.write_bytes(PACK[form](bytes(1 << 26)))
    tracemalloc.start()
    for read in (read_text, in_parts):
        with pytest.raises(InputError, match=r"more than 1 MiB; expected a smaller file"):
            read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 24
    assert len(read_head(path)) == HEAD_BYTES


def test_an_xz_that_asks_for_a_huge_dictionary_is_refused(tmp_path):
    path = tmp_path / "dictionary"
    data = bytearray(lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]))
    # The block header (xz file format 1.2, section 3.1): size, flags, filter 0x21, one property byte, ..., CRC32.
    assert data[14:16] == b"\x21\x01"
    data[16] = 40  # 4 GiB - 1
    size = (data[12] + 1) * 4
    data[12 + size - 4 : 12 + size] = zlib.crc32(bytes(data[12 : 12 + size - 4])).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    for read in (read_text, in_parts):
        with pytest.raises(InputError, match=r"not a whole xz file .*[Mm]emory"):
            read(path)


def test_streams_and_padding_behind_one_another(tmp_path):
    path = tmp_path / "two"
    path.write_bytes(lzma.compress(b"one ") + bytes(8) + lzma.compress(b"two") + bytes(4))
    assert read_text(path) == in_parts(path) == "one two"
    path.write_bytes(lzma.compress(b"one") + b"rubbish")
    for read in (read_text, in_parts):
        with pytest.raises(InputError, match=r"not a whole xz file"):
            read(path)


def test_names():
    assert [plain_name(name) for name in ("a/b.json.gz", "b.net.xz", "c.json", "gz")] == [
        "b.json",
        "b.net",
        "c.json",
        "gz",
    ]
    assert compressed("x.json", "text") == "text"
    for name, opened, text in (("x.json.gz", gzip.decompress, "text"), ("x.json.xz", lzma.decompress, b"text")):
        packed = compressed(name, text)
        assert isinstance(packed, bytes)
        assert opened(packed) == b"text"


def test_a_pipe_is_read_once_and_told_by_its_beginning(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for text in ("one\n" * 30_000, "two\n"):
        writer = threading.Thread(target=path.write_text, args=(text,))
        writer.start()
        assert read_head(path) == text[:HEAD_BYTES]
        assert read_text(path) == in_parts(path) == text
        writer.join()
        path.unlink()
        os.mkfifo(path)


def test_a_pipe_that_does_not_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("RAILSCOPE_MAX_INPUT", "1MiB")
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with subprocess.Popen(["sh", "-c", f"yes > {path}"], stderr=subprocess.DEVNULL) as endless:
        with pytest.raises(InputError, match="more than 1 MiB; expected a smaller file"):
            read_text(path)
        assert endless.wait(30) != 0


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
def test_devices_are_no_files(device):
    for read in (read_text, in_parts, read_head):
        with pytest.raises(InputError, match=f"^{device}: is a device; expected a file or a pipe$"):
            read(device)


@pytest.mark.parametrize(
    ("name", "reason"), [("x" * 300, "File name too long"), ("a\0b", "null"), ("", "No such file")]
)
def test_names_that_are_none(name, reason):
    for read in (read_text, in_parts, read_head):
        with pytest.raises(InputError, match=reason) as refused:
            read(name)
        assert len(str(refused.value)) < 200


@pytest.mark.parametrize("limit", ["8GB", "1e10", "64 MiB"])
def test_the_limit_can_be_raised(tmp_path, monkeypatch, limit):
    monkeypatch.setenv("RAILSCOPE_MAX_INPUT", limit)
    (tmp_path / "x").write_bytes(gzip.compress(bytes(1 << 22)))
    assert len(read_text(tmp_path / "x")) == 1 << 22
    monkeypatch.setenv("RAILSCOPE_MAX_INPUT", "many")
    with pytest.raises(InputError, match=r"^RAILSCOPE_MAX_INPUT: size 'many': expected a number"):
        read_text(tmp_path / "x")


def test_letters_that_are_none_are_told_where_they_are(tmp_path):
    """Also where a part ends in the middle of a letter; gzip too."""
    path = tmp_path / "text"
    data = "ä".encode() * ((1 << 19) + 3)
    for pack in (bytes, gzip.compress):
        path.write_bytes(pack(b"x" + data))
        assert in_parts(path) == read_text(path)
        path.write_bytes(pack(b"x" + data + b"\xc3"))
        for read in (read_text, in_parts):
            with pytest.raises(InputError, match=rf"not UTF-8 text \(byte {len(data) + 1}\)"):
                read(path)


@pytest.mark.parametrize("form", [None, *PACK])
def test_who_watches_is_told_how_far_it_is(tmp_path, form):
    path = tmp_path / "text"
    data = os.urandom(3 << 20).hex().encode()
    pack = {None: bytes, "gzip": gzip.compress, "xz": lambda data: lzma.compress(data, preset=0)}[form]
    path.write_bytes(pack(data))
    seen = []
    with watched(lambda *told: seen.append(told)):
        assert in_parts(path) == data.decode()
    in_parts(path)
    size = path.stat().st_size
    assert len(seen) >= 6
    assert {(told[0], told[2]) for told in seen} == {(str(path), size)}
    passed = [told[1] for told in seen]
    assert passed == sorted(passed)
    assert passed[0] < size / 2
    assert passed[-1] == size
