"""The library's reference: a page for each package's rooms, every public name by its docstring."""

from collections.abc import Iterator

import griffe

from docs.pages.page import ROOT, Page, docstring_text, table

PACKAGES = ("fabric", "collectives", "traces")


def api_pages() -> Iterator[Page]:
    """The index, then a page for each room that has public names."""
    rooms = [(room, names) for package in PACKAGES for room, names in _rooms(package)]
    rows = [
        (f"[{room.path}]({room.path}.md)", docstring_text(_headline(room)), ", ".join(f"`{name}`" for name in names))
        for room, names in rooms
    ]
    yield Page(
        "api/index.md",
        "# The library\n\n"
        "`import railscope as rs` gives every name below as `rs.NAME`; each is loaded when it is first used.\n\n"
        + table(("where it lives", "what it answers", "names"), rows),
    )
    for room, names in rooms:
        members = "\n\n".join(f"::: {_identifier(room, name)}" for name in names)
        yield Page(f"api/{room.path}.md", f"# {room.path}\n\n{docstring_text(_headline(room))}\n\n{members}\n")


def _rooms(package: str) -> Iterator[tuple[griffe.Module, list[str]]]:
    """Public names of a package in the order of its own list, by the folder or file that they live in."""
    module = griffe.load(package, search_paths=[str(ROOT)])
    assert isinstance(module, griffe.Module)
    named: dict[str, list[str]] = {}
    for name in _public_names(module):
        named.setdefault(_room(module.members[name]), []).append(name)
    for room in sorted(named):
        found = module.members[room]
        assert isinstance(found, griffe.Module)
        yield found, named[room]


def _identifier(room: griffe.Module, name: str) -> str:
    """What mkdocstrings looks up: the package's name, or where a module has the same one, what the module holds."""
    return f"{room.path}.{name}" if name == room.name else f"{room.package.path}.{name}"


def _room(member: griffe.Object | griffe.Alias) -> str:
    """Folder or file that a public name lives in."""
    path = member.target_path if isinstance(member, griffe.Alias) else member.path
    return path.split(".")[1]


def _public_names(package: griffe.Module) -> list[str]:
    """What the package exports: its ``__all__``, or where a stub stands for it, what the stub re-exports."""
    exports = [str(name) for name in package.exports or ()]
    return exports or [
        name
        for name, member in package.members.items()
        if isinstance(member, griffe.Alias) and member.target_path.startswith(f"{package.path}.")
    ]


def _headline(module: griffe.Module) -> str:
    return module.docstring.value.split("\n\n")[0] if module.docstring else ""
