"""The JSON in a text that came out of a terminal: banners, warnings and prompts around it are passed over."""

import re
from typing import Any

from fabric.formats.dump import Oddities
from traces.json_text import parse_json


def parse_json_part(text: str, shape: "re.Pattern[str]", source: str, odd: Oddities) -> Any:
    """What the JSON object holds that begins where `shape` matches and ends with the last bracket; see `parse_json`.

    Parameters
    ----------
    text : str
    shape : re.Pattern
        Matches in `text`.
    source : str
        Begins the messages; their lines are those of `text`.
    odd : Oddities
        Counts the lines around it.
    """
    found = shape.search(text)
    assert found is not None
    start = text.index("{", found.start())
    stop = text.rfind("}") + 1
    before, after = text[:start], text[stop:] if stop > start else ""
    for number, line in enumerate(before.split("\n"), 1):
        odd.pass_over(number, line.strip(), "JSON")
    for number, line in enumerate(after.split("\n"), text.count("\n", 0, stop) + 1):
        odd.pass_over(number, line.strip(), "JSON")
    return parse_json("\n" * before.count("\n") + text[start : len(text) - len(after)], source)
