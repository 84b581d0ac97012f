"""CSV for other programs."""

import csv
import io
from collections.abc import Iterable


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A line of column names and one for each row, ending in a line feed; quoted where it must be (RFC 4180)."""
    text = io.StringIO()
    # Before Python 3.13, csv quotes a carriage return only where the lines end in one.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().replace("\r\n", "\n")
