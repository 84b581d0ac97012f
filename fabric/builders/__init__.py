"""Fabrics made from a description: TOML in, topology out."""

from fabric.builders.clos import build
from fabric.builders.description import FabricDescription, fat_tree, load_description
from fabric.builders.presets import load_preset, preset_names

__all__ = ["FabricDescription", "build", "fat_tree", "load_description", "load_preset", "preset_names"]
