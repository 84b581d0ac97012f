"""A fabric in other tools' formats, chosen by the ending of the file's name."""

from pathlib import Path

from collectives.errors import InputError
from fabric.files import check_writable, write_all
from fabric.formats.opening import OpenedFabric
from fabric.formats.registry import Export, Format, by_ending, writable_endings
from fabric.topology import Topology
from traces.compression import compressed, plain_name


def writer_of(path: Path) -> Format:
    """The format that the ending of a file's name chooses.

    Raises
    ------
    InputError
        If the ending is that of no format.
    """
    found = by_ending(plain_name(path))
    if found is None or found.writer is None:
        raise InputError(f"{path}: expected a name that ends in {writable_endings()}, and perhaps .gz or .xz")
    return found


def exported(given: OpenedFabric, path: Path) -> Export:
    """Contents by file name, and what the format could not say.

    The ending of the name chooses the format (``railscope fabric export --help`` lists them); ``.gz`` or ``.xz`` behind
    it compresses.

    Raises
    ------
    InputError
        If the ending is that of no format.
    """
    plain, found = plain_name(path), writer_of(path)
    made = found.write(given, path.with_name(plain))
    behind = path.name.removeprefix(plain)
    files = {f"{name}{behind}": compressed(f"{name}{behind}", text) for name, text in made.files.items()}
    return Export(files, made.notes)


def export_fabric(given: OpenedFabric | Topology, path: str | Path, force: bool = False) -> tuple[str, ...]:
    """Write a fabric in the format that the ending of `path` names: node-link JSON, GraphML, ...

    Parameters
    ----------
    given : OpenedFabric or Topology
        An opened fabric keeps the GUIDs of its dump.
    path : path
        Perhaps with ``.gz`` or ``.xz`` behind it.
    force : bool
        Overwrite files that exist.

    Returns
    -------
    notes : tuple of str
        What the format could not say.

    Raises
    ------
    InputError
        If the ending is that of no format, or a file cannot be written.
    """
    check_writable(path, force)
    if isinstance(given, Topology):
        given = OpenedFabric(given.name, given)
    made = exported(given, Path(path))
    write_all(made.files, force)
    return made.notes
