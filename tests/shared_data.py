"""Files that others made: they lie beside the repository, not in it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("RAILSCOPE_SHARED_DATA", ROOT.parent / "shared" / "data"))
# Of the same shape, and ours.
TWINS = ROOT / "tests" / "data" / "twins"


def shared(*parts: str) -> Path:
    """A file or folder of others; where it is not there, the test is skipped, on CI it fails."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        reason = f"{'/'.join(parts)}: files made by others are not beside this repository"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
