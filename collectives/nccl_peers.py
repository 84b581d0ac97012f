"""How many connections NCCL opens to a peer over the network: each is a flow of its own, which a switch hashes.

NVIDIA/nccl 5067397, ``src/graph/paths.cc``: `ncclTopoComputeP2pChannelsPerPeer` gives a peer one channel for each of
the GPU's NICs, or as many as its network bandwidth needs at 14 GB/s a channel (``NCCL_P2P_PER_CHANNEL_NET_BW``), up to
a power of two; `ncclTopoComputeP2pChannels` halves them while the channels to all peers, 8 peers a batch
(``NCCL_MAX_DEV_WORK_P2P_PER_BATCH``), are more than the communicator's channels.  Measured so with sendrecv_perf on two
clusters: 4, 4, 2 and 1 channels at 2, 4, 8 and 10 nodes of 8 GPUs, whose communicators have 16 channels.  Each
connection has ``NCCL_IB_QPS_PER_CONNECTION`` queue pairs, 1 by default.
"""

from collectives.errors import InputError

# Of a communicator of HGX hosts with 8 NICs of 400 Gb/s, as measured there.
P2P_CHANNELS = 16
# A NIC of this speed has two channels of a search (src/graph/search.cc), GB/s.
_FAST_NIC_GBPS = 100.0
_MOST_CHANNELS = 32
# RCCL takes up to twice as many on MI300X (assumed; its tuning tables name 32 and more).
RCCL_P2P_CHANNELS = 32
_GBPS_A_CHANNEL = 14.0
_PEERS_A_BATCH = 8
# Since when the rule is this; before, 2 channels to begin with (ebd1e929~1).
NEW_RULE = (2, 29, 2)
USUAL_VERSION = "2.30.7"


def version_of(text: str) -> tuple[int, ...]:
    """NCCL's version as numbers.

    Raises
    ------
    InputError
        If it is not of the form ``2.29.2``.
    """
    parts = text.strip().split(".")
    if not 2 <= len(parts) <= 3 or not all(part.isdecimal() for part in parts):
        raise InputError(f"nccl version {text!r}: expected numbers as in {USUAL_VERSION}")
    return tuple(map(int, parts))


def channels_per_peer(
    nic_GBps: float,
    n_ranks: int,
    n_nics: int = 1,
    version: str = USUAL_VERSION,
    p2p_channels: int = P2P_CHANNELS,
) -> int:
    """Channels, and so flows, from a GPU to each peer over the network in sends and receives.

    Parameters
    ----------
    nic_GBps : float
        Network bandwidth of a GPU each way, GB/s.
    n_ranks : int
        Of the communicator.
    n_nics : int
        Of a GPU.
    version : str
        Of NCCL.
    p2p_channels : int
        Of the communicator.

    Raises
    ------
    InputError
        If the version is none.
    """
    if version_of(version) < NEW_RULE:
        channels = 2
        while channels > 1 and channels * n_ranks > 4 * p2p_channels:
            channels //= 2
        return max(channels, n_nics)
    channels = 1
    while channels < max(n_nics, nic_GBps / _GBPS_A_CHANNEL):
        channels *= 2
    batches = -(-n_ranks // _PEERS_A_BATCH)
    while channels > 1 and channels * batches > p2p_channels:
        channels //= 2
    return channels


def communicator_channels(per_domain: int, nic_GBps: float) -> int:
    """Channels of a communicator over several domains.

    Each NIC has one channel of the search, one of 800 Gb/s two; they are doubled, and doubled again where that gives no
    more than 16 (``src/graph/search.cc``, ``src/graph/connect.cc``; Hopper and later): 16 on 8 NICs of 400 Gb/s, as
    logs of H100 hosts say; 32 at most.  By reading the source; what a rack opens was not measured.

    Parameters
    ----------
    per_domain : int
        Members of the group, each with a NIC of its own, in the domain that has the fewest: ranks agree on the least.
    nic_GBps : float
        Network bandwidth of a GPU each way, GB/s.
    """
    searched = max(per_domain, 1) * (2 if nic_GBps >= _FAST_NIC_GBPS else 1)
    return min(_MOST_CHANNELS, searched * (4 if searched <= 4 else 2))


def ring_connections(per_domain: int, nic_GBps: float) -> int:
    """Connections of a ring or tree from a GPU to the next domain over the network: its part of the channels.

    Arguments as for `communicator_channels`: 2 with 8 GPUs of a domain and NICs of 400 Gb/s, 8 with one and 800 Gb/s.
    """
    return max(1, communicator_channels(per_domain, nic_GBps) // max(per_domain, 1))
