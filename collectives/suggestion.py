"""What an unknown name was perhaps meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

# Known names that a message lists at most.  Assumed: enough for any choice, too few for every host of a cluster.
_LISTED = 24


def hint(name: str, known: Iterable[str]) -> str:
    """The end of a message that refuses `name`: the nearest known name, whatever its case, or what there is.

    Parameters
    ----------
    name : str
    known : iterable of str

    Returns
    -------
    str
        ``did you mean all-reduce?`` or ``expected one of ring, tree``; of many names the first ones.

    >>> hint("Rnig", ["ring", "tree"]), hint("x", ["ring", "tree"])
    ('did you mean ring?', 'expected one of ring, tree')
    """
    folded: dict[str, str] = {}
    for each in known:
        folded.setdefault(each.casefold(), each)
    near = get_close_matches(name.casefold(), folded, 1)
    if near:
        return f"did you mean {folded[near[0]]}?"
    names = list(folded.values())
    if not names:
        return "there are none"
    rest = f", ... ({len(names)} in all)" if len(names) > _LISTED else ""
    return f"expected one of {', '.join(names[:_LISTED])}{rest}"
