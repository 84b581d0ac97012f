"""What a terminal shows while a command works."""

import contextlib
import fcntl
import io
import os
import pty
import struct
import sys
import termios
import threading
import time

import pytest

from fabric.commands.terminal import showing_reads, working
from traces.files import text_parts


@contextlib.contextmanager
def terminal(monkeypatch):
    """Standard error of 80 columns; gives a list that has afterwards what was written to it."""
    control, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    parts: list[bytes] = []
    shown: list[str] = []

    def read():
        # Linux: an error where the other end is closed.
        with contextlib.suppress(OSError):
            while part := os.read(control, 1 << 16):
                parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(screen, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stderr", stream)
        patch.setattr("fabric.commands.terminal.PATIENCE_S", 0.0)
        yield shown
    reader.join()
    os.close(control)
    shown.append(b"".join(parts).decode())


def read_slowly(path):
    """As by who has much to do with each part; the screen is drawn 12 times a second."""
    for _ in text_parts(path):
        time.sleep(0.15)


@pytest.mark.parametrize("within", [None, "algorithms"])
def test_a_bar_tells_how_far_a_large_file_is_read(tmp_path, monkeypatch, within):
    path = tmp_path / "rank0\x1b[31m.json"
    path.write_text("x" * (3 << 20))
    with terminal(monkeypatch) as screen, showing_reads():
        for _ in range(2):
            with working(within) if within is not None else contextlib.nullcontext():
                read_slowly(path)
    (shown,) = screen
    assert "reading rank0\\x1b[31m.json" in shown
    assert "67% of 3 MiB" in shown
    assert "\x1b[?25h" in shown[-20:], "the cursor is back"
    assert ("algorithms" in shown) == (within is not None)


def test_a_file_that_is_cut_leaves_no_bar(tmp_path, monkeypatch):
    path = tmp_path / "text"
    path.write_bytes(b"x" * (3 << 20) + b"\xff")
    with terminal(monkeypatch) as screen, pytest.raises(ValueError, match="not UTF-8"), showing_reads():
        read_slowly(path)
    assert "\x1b[?25h" in screen[0][-20:]


def test_who_is_no_terminal_sees_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("fabric.commands.terminal.PATIENCE_S", 0.0)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    path = tmp_path / "text"
    path.write_text("x" * (3 << 20))
    with showing_reads(), working("reading"):
        list(text_parts(path))
    assert stream.getvalue() == ""
