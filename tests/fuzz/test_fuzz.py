"""A few thousand damaged inputs, the same ones at every run; `make fuzz` reads a million others."""

import pytest

from fabric.formats.registry import readable
from tests.fuzz.forms import forms, registered
from tests.fuzz.judge import damaged_input, judged

SEED, COUNT, BLOCKS = 20261127, 3000, 6


@pytest.mark.parametrize("block", range(BLOCKS))
def test_damaged_inputs_are_read_or_refused_in_one_line(tmp_path, block):
    size = COUNT // BLOCKS
    for number in range(block * size, (block + 1) * size):
        finding = judged(SEED, number, tmp_path, limit_s=30.0)
        assert finding is None, f"{finding.form}, {SEED}:{number}: {finding.what}"


@pytest.mark.parametrize("form", forms(), ids=lambda form: form.name)
def test_undamaged_inputs_are_read(tmp_path, form):
    for seed in form.seeds:
        (tmp_path / "input").write_bytes(seed)
        form.read(seed.decode() if form.text else str(tmp_path / "input"))


def test_the_same_seed_gives_the_same_inputs():
    assert [damaged_input(7, n)[1] for n in range(50)] == [damaged_input(7, n)[1] for n in range(50)]
    assert damaged_input(7, 1) != damaged_input(8, 1)


def test_every_format_is_there():
    """A format that is added needs a small input here."""
    missing = (
        registered()
        - {"infragraph"}
        - {_format_name(form) for form in forms()}
        - {"ibnetdiscover-ports", "iblinkinfo-lines"}
    )
    assert not missing
    assert {"ibnetdiscover-p.txt", "iblinkinfo-l.txt"} <= {form.name for form in forms()}
    assert any(one.name == "infragraph" for one in readable()), "read by a package that raises whatever its parts raise"


_NAMES = {
    "ibnetdiscover.txt": "ibnetdiscover",
    "iblinkinfo.txt": "iblinkinfo",
    "opensm-subnet.lst": "subnet-lst",
    "net_dump": "ibdiagnet-net-dump",
    "net_dump_ext": "ibdiagnet-net-dump-ext",
    "db_csv": "ibdiagnet-db-csv",
    "tables opensm-lfts.dump": "lfts",
    "tables opensm.fdbs": "fdbs",
}


def _format_name(form):
    return _NAMES.get(form.name, form.name)
