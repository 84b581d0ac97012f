"""The JSON document of `trace` for NCCL's XML: what a host has, and the graphs that were chosen."""

from typing import Literal

from typing_extensions import TypedDict


class HostGpuPart(TypedDict):
    """A GPU.

    Attributes
    ----------
    busid : str
        On the PCI bus.
    numa : int
        NUMA node of its processor.
    device : int or None
        CUDA's number; None where the file does not say.
    nvlinks : int or None
        How many; None where the file does not say.
    pcie_gbps : float or None
        Of its PCIe link, Gbit/s.
    """

    busid: str
    numa: int
    device: int | None
    nvlinks: int | None
    pcie_gbps: float | None


class HostNicPart(TypedDict):
    """A port of a NIC.

    Attributes
    ----------
    busid : str
        On the PCI bus.
    numa : int
        NUMA node of its processor.
    name : str
        Empty where the file does not say.
    gbps : float or None
        Of the port; None where the file does not say.
    pcie_gbps : float or None
        Of its PCIe link, Gbit/s.
    """

    busid: str
    numa: int
    name: str
    gbps: float | None
    pcie_gbps: float | None


class ChannelPart(TypedDict):
    """A channel within a host.

    Attributes
    ----------
    gpus : list of int
        In its order.
    nic_in, nic_out : int or None
        The NICs that it comes in and goes out by; None within one host.
    """

    gpus: list[int]
    nic_in: int | None
    nic_out: int | None


class ChosenGraphPart(TypedDict):
    """The channels of an algorithm.

    Attributes
    ----------
    id : int
        NCCL's number of it.
    pattern : str
        What it is.
    cross_nic : bool
        A ring may come in by another NIC than it goes out by.
    speed_intra, speed_inter : float
        Of a channel within the host and to the NICs, GB/s.
    type_intra, type_inter : str
        The longest way within the host and to the NICs, as NCCL calls it.
    channels : list of ChannelPart
    """

    id: int
    pattern: str
    cross_nic: bool
    speed_intra: float
    speed_inter: float
    type_intra: str
    type_inter: str
    channels: list[ChannelPart]


class HostDocument(TypedDict):
    """What NCCL's XML says of a host.

    Attributes
    ----------
    file : str
        What was read.
    gpus : list of HostGpuPart
    nics : list of HostNicPart
    graphs : list of ChosenGraphPart
        Rings and trees, of a file of graphs.
    """

    schema: Literal["railscope.host/1"]
    file: str
    gpus: list[HostGpuPart]
    nics: list[HostNicPart]
    graphs: list[ChosenGraphPart]
