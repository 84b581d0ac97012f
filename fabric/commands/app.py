"""The command line: every command by its name, and what an error becomes.

Exit status: 0 done; 1 failed, with one clear line; 2 usage; 3 a limit that the user set was crossed.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from collectives.errors import InputError
from collectives.saying import one_line
from collectives.sizes import parse_bytes
from fabric.commands.advise import advise
from fabric.commands.busbw import busbw
from fabric.commands.compare import compare
from fabric.commands.counters import counters
from fabric.commands.explain import explain
from fabric.commands.fabrics import check, export, list_presets, reroute, show
from fabric.commands.faults import faults
from fabric.commands.grouping import GroupedCommand, grouped
from fabric.commands.loads import loads
from fabric.commands.option_tables import UsageError
from fabric.commands.place import place
from fabric.commands.rates import rates
from fabric.commands.replay import replay
from fabric.commands.report import report
from fabric.commands.schema import schema
from fabric.commands.step import scale, step
from fabric.commands.sweep import sweep
from fabric.commands.terminal import fail, showing_reads
from fabric.commands.trace import trace
from traces.files import LIMIT_VARIABLE

app = typer.Typer(
    name="railscope",
    help="Where a job's traffic lands in a GPU cluster's fabric, which links become hotspots, what removes them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
fabric_app = typer.Typer(help="Fabrics: list presets, show facts, export.", no_args_is_help=True)
app.add_typer(fabric_app, name="fabric")


def register_command(function: Callable[..., None], name: str | None = None) -> Callable[..., None]:
    """Add a command to the command line: a typer function, whose parameters may be groups of options.

    Parameters
    ----------
    function : callable
        Its docstring is the help.
    name : str, optional
        Default the function's.

    Returns
    -------
    callable
        The function, so that this can be a decorator.
    """
    app.command(name, cls=GroupedCommand)(grouped(function))
    return function


_COMMANDS: tuple[Callable[..., None], ...] = (
    loads,
    compare,
    explain,
    faults,
    advise,
    sweep,
    step,
    scale,
    place,
    replay,
    busbw,
    rates,
    counters,
    trace,
    report,
    schema,
)
_BELOW_FABRIC: dict[str, Callable[..., None]] = {
    "list": list_presets,
    "show": show,
    "check": check,
    "export": export,
    "reroute": reroute,
}
for _command in _COMMANDS:
    register_command(_command)
for _name, _command in _BELOW_FABRIC.items():
    fabric_app.command(_name, cls=GroupedCommand)(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"railscope {version('railscope')}")
        raise typer.Exit


@app.callback()
def railscope(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="The version, and nothing else.")
    ] = False,
    max_input: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help=f"Most that a file has, and what is unpacked from it; default 2 GB, or the variable {LIMIT_VARIABLE}.",
        ),
    ] = None,
) -> None:
    """Where a job's traffic lands in a GPU cluster's fabric, which links become hotspots, what removes them."""
    if max_input is not None:
        context.call_on_close(_set_limit(max_input))


def _set_limit(size: str) -> Callable[[], None]:
    """Limit what is read, and return what takes the limit back."""
    before = os.environ.get(LIMIT_VARIABLE)

    def take_back() -> None:
        if before is None:
            os.environ.pop(LIMIT_VARIABLE, None)
        else:
            os.environ[LIMIT_VARIABLE] = before

    try:
        parse_bytes(size)
    except InputError as error:
        raise typer.BadParameter(f"--max-input: {error}") from None
    os.environ[LIMIT_VARIABLE] = size
    return take_back


def _say_usage(error: Exception) -> None:
    """One line of what is wrong with the command line; the help where nothing was asked."""
    text = error.format_message()  # type: ignore[attr-defined]
    if text.startswith("Usage:"):
        print(text, file=sys.stderr)
        return
    context = getattr(error, "ctx", None)
    path = "railscope" if context is None else context.command_path
    said = one_line(" ".join(text.removeprefix("Invalid value: ").split()))
    print(f"railscope: error: {said} ({path} -h shows the options)", file=sys.stderr)


def _open_streams() -> None:
    """Make standard streams take any letter; without standard error, what goes there is lost."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        fail("standard output is closed; expected somewhere to write")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _check_environment() -> None:
    """Refuse settings that the libraries below would end with a traceback."""
    from collectives.gate import whole

    threads = os.environ.get("NUMBA_NUM_THREADS")
    if threads is not None:
        whole(threads, "NUMBA_NUM_THREADS", 1, 1 << 16)


def _flush() -> None:
    sys.stdout.flush()


def _let_go_of_output() -> None:
    """Point standard output elsewhere, so that Python's own exit does not try it again."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(number: int, frame: object) -> None:
    """Leave as after an error, so that temporary files and other programs go too."""
    raise SystemExit(128 + number)


def run() -> None:
    """Run the command line: refusals are one line on standard error, exit 1."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # nohup and the like have them ignored, and mean it.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    from collectives.errors import InputError

    _open_streams()
    # Pictures go to files; the choice of a screen that is not there is none of ours.
    os.environ["MPLBACKEND"] = "agg"
    try:
        _check_environment()
        with showing_reads():
            status = app(standalone_mode=False)
        _flush()
        raise SystemExit(status)
    except InputError as error:
        fail(f"{error}; {error.option}" if error.option else str(error))
    except UsageError as error:
        _say_usage(error)
        raise SystemExit(2) from None
    except typer.Abort:
        raise SystemExit(1) from None
    except MemoryError:
        fail("not enough memory for a fabric of this size")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except OSError as error:
        _let_go_of_output()
        fail(f"standard output: cannot be written ({error.strerror or error})")
    except SystemExit:
        # What is printed before an exit is written too, or the exit says why not.
        try:
            _flush()
        except OSError as error:
            _let_go_of_output()
            fail(f"standard output: cannot be written ({error.strerror or error})")
        raise
