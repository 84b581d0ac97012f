"""Files are written whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from collectives import InputError
from fabric.files import check_writable, file_stem, unused_path, write_all, write_whole


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


def test_a_replaced_file_keeps_its_mode_and_a_link_its_place(tmp_path):
    path, link = tmp_path / "a.csv", tmp_path / "link.csv"
    path.write_text("one\n")
    path.chmod(0o600)
    link.symlink_to(path)
    with pytest.raises(InputError, match=r"link\.csv: exists already"):
        write_whole(link, "two\n")
    write_whole(link, "two\n", force=True)
    assert link.is_symlink()
    assert path.read_text() == "two\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "link.csv"]


def test_a_link_to_nothing_is_a_path_that_exists(tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "target.csv")
    with pytest.raises(InputError, match=r"link\.csv: exists already"):
        write_whole(link, "x")
    write_whole(link, "x", force=True)
    assert link.is_symlink()
    assert (tmp_path / "target.csv").read_text() == "x"
    (tmp_path / "away").symlink_to(tmp_path / "no" / "x.csv")
    with pytest.raises(InputError, match="does not exist"):
        write_whole(tmp_path / "away", "x", force=True)
    assert unused_path(link) == tmp_path / "link-2.csv"


@pytest.mark.parametrize("force", [False, True])
def test_pipes_are_written_to_and_stay(tmp_path, force):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE)
    write_whole(path, "through\n", force)
    assert reader.communicate(timeout=30)[0] == b"through\n"
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_devices_are_written_to_and_stay(tmp_path):
    """A device of our own where we may make one: the real one is in use."""
    path = tmp_path / "null"
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        open(path, "wb").close()
    except PermissionError:
        path = Path("/dev/null")
    for force in (False, True):
        write_whole(path, "x", force)
        assert stat.S_ISCHR(path.stat().st_mode)


def test_a_full_device_is_one_line():
    with pytest.raises(InputError, match=r"^/dev/full: cannot be written \(No space left on device\)$"):
        write_whole("/dev/full", "x" * 100_000)


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_of_several_files_all_or_none(tmp_path, monkeypatch, fails):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("before\n")
    real, calls = getattr(os, fails), []

    def second_fails(*given):
        calls.append(given)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(*given)

    monkeypatch.setattr(os, fails, second_fails)
    with pytest.raises(InputError, match=r"new\.csv: cannot be written"):
        write_all({str(old): "after\n", str(new): "new\n"}, force=True)
    assert old.read_text() == "before\n"
    assert os.listdir(tmp_path) == ["old.csv"]


def test_one_file_for_two_outputs(tmp_path):
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"is the same file as .*a\.csv; expected another path for each output"):
        write_all({str(tmp_path / "a.csv"): "1", str(tmp_path / "x" / ".." / "a.csv"): "2"})
    with pytest.raises(InputError, match="is the same file as"):
        write_all({str(tmp_path / "a.csv"): "1", str(tmp_path / "b.csv"): "2"}, force=True)
    assert os.listdir(tmp_path) == ["b.csv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is no path"),
        ("a\0b.csv", r"cannot be written \(.*null"),
        ("x" * 300 + ".csv", r"cannot be written \(File name too long\)"),
    ],
)
def test_names_that_are_none(tmp_path, name, message):
    for path in (name, str(tmp_path / name) if name else ""):
        with pytest.raises(InputError, match=message) as refused:
            check_writable(path)
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "name", ["../../etc/x", "/etc/x", "x" * 300, "a\0b", "\x1b]0;x\x07", "机架" * 200, "", "..", "a b$(c)"]
)
def test_names_from_files_stay_in_the_folder(name):
    stem = file_stem(name)
    assert stem
    assert "/" not in stem
    assert not stem.startswith(".")
    assert len(stem.encode()) <= 100
    assert stem.isprintable()


def interrupted(tmp_path, number):
    """A process that writes two files and is stopped between them: its exit status."""
    code = (
        "import os, sys, time, signal\n"
        "from fabric.commands.app import _end\n"
        "from fabric import files\n"
        "signal.signal(signal.SIGTERM, _end); signal.signal(signal.SIGHUP, _end)\n"
        # A shell's background jobs have it ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "real, calls = os.fsync, []\n"
        "def slow(number):\n"
        "    calls.append(number)\n"
        "    if len(calls) == 2:\n"
        "        print('now', flush=True); time.sleep(30)\n"
        "    return real(number)\n"
        "os.fsync = slow\n"
        "files.write_all({'a.csv': 'x', 'b.csv': 'y'})\n"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        process.send_signal(number)
        return process.wait(30)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, None)])
def test_a_stopped_process_leaves_nothing(tmp_path, number, status):
    ended = interrupted(tmp_path, number)
    assert status is None or ended == status
    assert os.listdir(tmp_path) == []
