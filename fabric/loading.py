"""A fabric from what the user typed: a preset's name, a TOML description, or node-link JSON."""

from dataclasses import dataclass
from pathlib import Path

from collectives.errors import InputError
from fabric.builders.clos import build
from fabric.builders.description import FabricDescription, Wiring, load_description
from fabric.builders.presets import load_preset, preset_names
from fabric.formats.node_link import read_node_link
from fabric.topology import Topology


@dataclass(frozen=True, eq=False)
class LoadedFabric:
    """A topology, and the description that it was built from, if it was.

    Attributes
    ----------
    source : str
        What the user typed.
    topology : Topology
    description : FabricDescription or None
    """

    source: str
    topology: Topology
    description: FabricDescription | None = None

    @property
    def name(self) -> str:
        return self.topology.name

    @property
    def assumptions(self) -> tuple[str, ...]:
        return tuple(self.description.fabric.assumptions) if self.description else ()


def load_fabric(source: str, wiring: Wiring | None = None) -> LoadedFabric:
    """Load a preset, ``.toml``, ``.json`` or ``.json.gz``.

    Parameters
    ----------
    source : str
    wiring : {"rail", "host"}, optional
        Wire a described fabric this way instead of the way that it says.

    Raises
    ------
    InputError
        If there is no such preset or file, or its contents are refused.
    """
    if source.endswith(".toml"):
        return _built(source, load_description(source), wiring)
    if source in preset_names() or not Path(source).exists():
        return _built(source, load_preset(source), wiring)
    if not source.endswith((".json", ".json.gz")):
        raise InputError(f"{source}: unknown kind of file; expected .toml, or node-link .json or .json.gz")
    if wiring is not None:
        raise InputError(f"{source}: wiring can be changed in a preset or a TOML description only")
    return LoadedFabric(source, read_node_link(source))


def _built(source: str, description: FabricDescription, wiring: Wiring | None) -> LoadedFabric:
    chosen = description.with_wiring(wiring) if wiring else description
    return LoadedFabric(source, build(chosen), chosen)
