"""Fabrics made from a description: TOML in, topology out."""

from fabric.builders.clos import build
from fabric.builders.description import FabricDescription, fat_tree, read_description
from fabric.builders.presets import preset_names, read_preset

__all__ = ["FabricDescription", "build", "fat_tree", "preset_names", "read_description", "read_preset"]
