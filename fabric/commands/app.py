"""The command line: every command by its name, and what an error becomes.

Exit status: 0 done; 1 failed, with one clear line; 2 usage; 3 a threshold that the user set was crossed.
"""

import signal

import typer

from fabric.commands.busbw import busbw
from fabric.commands.compare import compare
from fabric.commands.fabrics import check, export, list_presets, reroute, show
from fabric.commands.loads import loads
from fabric.commands.rates import rates
from fabric.commands.terminal import fail
from fabric.commands.trace import trace

app = typer.Typer(
    name="railscope",
    help="Where a job's traffic lands in a GPU cluster's fabric, which links become hotspots, what removes them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
fabric_app = typer.Typer(help="Fabrics: list presets, show facts, export.", no_args_is_help=True)
app.add_typer(fabric_app, name="fabric")

app.command()(loads)
app.command()(compare)
app.command()(busbw)
app.command()(rates)
app.command()(trace)
fabric_app.command("list")(list_presets)
fabric_app.command()(show)
fabric_app.command()(check)
fabric_app.command()(export)
fabric_app.command()(reroute)


def run() -> None:
    """Run the command line: refusals are one line on standard error, exit 1."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    from collectives.errors import InputError

    try:
        app()
    except InputError as error:
        fail(str(error))
    except MemoryError:
        fail("not enough memory for a fabric of this size")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
