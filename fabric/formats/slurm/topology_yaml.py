"""Slurm's ``topology.yaml`` (25.05 and later; topology.yaml(5)): topologies by name, of which one is the default."""

import re
from typing import Any

from collectives.errors import InputError
from collectives.gate import quoted, shown
from fabric.formats.slurm.hostlist import expand_hostlist

SHAPE = re.compile(r"^\s*-\s*topology\s*:", re.MULTILINE)
"""What every such file has, and no ``topology.conf``."""

_PLUGINS = ("tree", "block")
# A list of hosts or switches is one expression, or several.
Groups = dict[str, tuple[str, ...]]
Children = dict[str, tuple[int, list[str]]]


def read_topologies(text: str, path: str) -> tuple[str, str, Groups, Children]:
    """The default topology of a file.

    Returns
    -------
    name, kind : str
        Its name; ``tree`` or ``block``.
    leaves : dict of str to tuple of str
        Hosts of each leaf switch or block.
    children : dict of str to (int, list of str)
        Line (0: not known) and lower switches of each switch above.

    Raises
    ------
    InputError
        What is no such file, or a plugin without switches or blocks.
    """
    document = _parsed(text, path)
    topologies = [each for each in document if isinstance(each, dict)] if isinstance(document, list) else []
    if not topologies or len(topologies) != len(document):
        raise InputError(f"{path}: expected a list of topologies, each with a name (topology) and tree or block")
    chosen = next((each for each in topologies if each.get("cluster_default") is True), topologies[0])
    name = str(chosen.get("topology", "topology"))
    kinds = [key for key in chosen if key not in ("topology", "cluster_default")]
    kind = next((each for each in _PLUGINS if each in kinds), None)
    if kind is None:
        has = ", ".join(map(str, kinds)) or "no plugin"
        raise InputError(f"{path}: topology {quoted(name)}: {has}; expected tree or block, which say what is near what")
    where = f"{path}: topology {quoted(name)}: {kind}"
    body = chosen[kind]
    noun, plural = ("switch", "switches") if kind == "tree" else ("block", "blocks")
    rows = body.get(plural) if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise InputError(f"{where}: expected a list `{plural}`, got {shown(rows)}")
    leaves: Groups = {}
    children: Children = {}
    for number, row in enumerate(rows):
        own = f"{where}.{plural}[{number}]"
        if not isinstance(row, dict) or not isinstance(row.get(noun), (str, int)):
            raise InputError(
                f"{own}: expected a mapping with `{noun}` and `nodes`{' or `children`' * (kind == 'tree')}"
            )
        label = str(row[noun])
        if label in leaves or label in children:
            raise InputError(f"{own}: {quoted(label)} is described twice")
        try:
            if row.get("nodes") is not None:
                leaves[label] = tuple(expand_hostlist(_joined(row["nodes"], own)))
            elif kind == "tree" and row.get("children") is not None:
                children[label] = (0, expand_hostlist(_joined(row["children"], own)))
            else:
                raise InputError(f"{label}: expected nodes{' or children' * (kind == 'tree')}")
        except InputError as error:
            raise InputError(f"{own}: {error}" if not str(error).startswith(own) else str(error)) from None
    return name, kind, leaves, children


def _joined(value: Any, where: str) -> str:
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, (str, int)) and not isinstance(part, bool) for part in parts):
        raise InputError(f"{where}: {shown(value)}; expected a hostlist such as h[1-4]")
    return ",".join(map(str, parts))


def _parsed(text: str, path: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: not YAML ({error.problem})") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: not YAML ({error})") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for YAML that means something") from None
