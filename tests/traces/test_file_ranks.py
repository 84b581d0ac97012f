"""Ranks of files: by records, names and places."""

import pytest

from collectives.errors import InputError
from traces.file_ranks import rank_in_name, ranks_of_files


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet_2gpu_rank1_schema1.1.0.json.gz", (1, True)),
        ("rank3/et_Rank-12.json.xz", (12, True)),
        ("rank_7.json", (7, True)),
        ("job.rank.4.et.json", (4, True)),
        ("dlrm_eg_5.json.gz", (5, False)),
        ("et0.json", (0, False)),
        ("chakra.3.json", (3, False)),
        ("4_trace.json", (4, False)),
        ("2024-05-01_et_3.json", (3, False)),
        ("rank0_of_rank8_3.json", (3, False)),
        ("allgather_2rank_schema1.0.2.json.gz", None),
        ("2gpu_trace.json", None),
        ("et_v2.json", None),
        ("1.0.2_et.json", None),
        ("trace.json", None),
        ("rank9999999.json", None),
        ("rank٣.json", None),
        ("rank12345678901.json", None),
    ],
)
def test_what_a_name_says(name, expected):
    assert rank_in_name(name) == expected


def test_records_before_names_before_places():
    ranks, warnings = ranks_of_files(["a_rank0.json", "et_5.json", "b.json"], [3, None, None])
    assert ranks == (3, 5, 2)
    assert warnings == (
        "a_rank0.json: its name says rank 0, its records say rank 3, which is taken",
        "ranks of 1 of 3 files are not in their records: they are taken from their names (et_5.json: rank 5)",
        "ranks of 1 of 3 files are not in their records: they are taken from their places among the files (b.json: rank 2)",
    )
    assert ranks_of_files(["et_5.json"], [2]) == ((2,), ())


def test_two_of_one_rank_are_both_named():
    with pytest.raises(InputError, match=r"b.json: rank 1 by its place, but so is a_1.json by its name"):
        ranks_of_files(["a_1.json", "b.json"], [None, None])
