"""Fabrics that ship with railscope, as TOML files."""

from importlib.resources import files

from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.builders.description import FabricDescription, parse_description


def preset_names() -> tuple[str, ...]:
    """Names of the presets, sorted."""
    folder = files("fabric").joinpath("presets")
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def read_preset(name: str) -> FabricDescription:
    """The description of a preset.

    Raises
    ------
    InputError
        If there is none of that name; the nearest one is named.
    """
    names = preset_names()
    if name not in names:
        raise InputError(f"{name}: neither a preset nor a file; {hint(name, names)}")
    return parse_description(files("fabric").joinpath("presets", f"{name}.toml").read_text("utf-8"), f"preset {name}")
