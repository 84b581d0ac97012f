"""Files are written whole or not at all."""

import os

import pytest

from collectives import InputError
from fabric.files import check_writable, unused_path, write_whole


def test_writes_whole_and_only_once(tmp_path):
    path = tmp_path / "a.csv"
    write_whole(path, "one\n")
    with pytest.raises(InputError, match=r"exists already$"):
        write_whole(path, "two\n")
    assert path.read_text() == "one\n"
    write_whole(path, b"two\n", force=True)
    assert path.read_text() == "two\n"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(InputError, match=r"a.csv: cannot be written .No space left on device"):
        write_whole(tmp_path / "a.csv", "x")
    assert os.listdir(tmp_path) == []


def test_refuses_before_the_work(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        check_writable(tmp_path / "no" / "x.csv")


def test_unused_path_counts_up(tmp_path):
    path = tmp_path / "f.png"
    assert unused_path(path) == path
    path.touch()
    (tmp_path / "f-2.png").touch()
    assert unused_path(path) == tmp_path / "f-3.png"


def test_a_folder_that_takes_no_files():
    """/proc refuses new files to everybody, root included."""
    with pytest.raises(InputError, match=r"x.csv: (cannot be written|folder /proc is not writable)"):
        write_whole("/proc/x.csv", "x")
