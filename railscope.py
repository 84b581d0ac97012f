"""railscope: where a job's traffic lands in a GPU cluster's fabric, and what removes the hotspots.

The public names of the packages `collectives`, `traces` and `fabric`, loaded when they are first used, and the entry
point of the command line.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collectives import *  # noqa: F403
    from fabric import *  # noqa: F403
    from traces import *  # noqa: F403

PACKAGES = ("collectives", "traces", "fabric")


def __getattr__(name: str) -> Any:
    if name != "__all__" and name.startswith("__"):
        raise AttributeError(f"module 'railscope' has no attribute {name!r}")
    if name == "__all__":
        return _public_names()
    _check_packages()
    for package in map(importlib.import_module, PACKAGES):
        if name in package.__all__:
            return getattr(package, name)
    raise AttributeError(f"module 'railscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return _public_names()


def _public_names() -> list[str]:
    _check_packages()
    return sorted(name for package in PACKAGES for name in importlib.import_module(package).__all__)


def _check_packages() -> None:
    """Make sure that the three packages are railscope's own.

    Their names are those of other published distributions too; installed into one environment, the later one overwrites
    the earlier one's files without a word.

    Raises
    ------
    ImportError
        In one line: which package is not railscope's, and what to do.
    """
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        origin = Path(spec.origin) if spec is not None and spec.origin else None
        if origin is None or 'DISTRIBUTION = "railscope"' not in origin.read_text(encoding="utf-8", errors="replace"):
            raise ImportError(
                f"package {package!r} ({origin or 'not found'}) is not railscope's: another distribution of that name "
                "is in the way; install railscope into an environment of its own"
            )


def main() -> None:
    """Run the command line."""
    try:
        _check_packages()
        from fabric.commands.app import run
    except ImportError as error:
        print(f"railscope: error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
