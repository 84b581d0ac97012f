"""All-reduce bandwidths that others measured, beside what the model predicts for the same machine and size.

Sources: stas00/ml-engineering 744d01e (H200, B200, NVL72 from GTC25 S72583; p6-b200), NVIDIA/dgxc-benchmarking 841f546
(8 H100), coreweave/nccl-tests (GB200, 64 H100 with SHARP), aws-samples/awsome-distributed-training 7217859 (p4de, p5).
Where a source gives a range the middle is taken, where it gives no size 16 GiB.  The algorithm is the one that NCCL is
known to take there, or of those that it has the fastest (p4de, p5, p6).  AWS' machines use EFA, which is taken as
InfiniBand; the NICs of p4de are 4 x 100 Gb/s for 8 GPUs.  Over several racks 8 GPUs of each are taken to talk across:
what the measurements show, no prediction.
"""

import railscope as rs

GIB = 2.0**30
AMPERE, HOPPER, BLACKWELL = 2400.0, 3600.0, 7200.0


def machine(
    hosts: int, gpus_per_host: int, hosts_per_domain: int, nvlink_gbps: float, nic_gbps: float = 400.0
) -> rs.FabricDescription:
    """Hosts with a NIC for each GPU behind non-blocking leaves."""
    switch = {"radix": 64, "port_gbps": 400.0}
    hosts_table = {"name": "measured", "hosts": hosts, "gpus_per_host": gpus_per_host, "gpu_gbps": nic_gbps}
    tables = {
        "fabric": {**hosts_table, "technology": "infiniband"},
        "scale_up": {"hosts_per_domain": hosts_per_domain, "gpu_gbps": nvlink_gbps},
        "leaf": switch,
        "spine": switch,
    }
    return rs.FabricDescription.model_validate(tables)


# Machine, algorithm, ranks, size in GiB, measured busbw in GB/s, and how many GPUs of a domain talk across (None: all).
MEASURED = (
    ("8 H100", machine(1, 8, 1, HOPPER), "nvls", 8, 16.0, 479.9, None),
    ("8 H200", machine(1, 8, 1, HOPPER), "nvls", 8, 16.0, 477.5, None),
    ("8 H200", machine(1, 8, 1, HOPPER), "ring", 8, 16.0, 367.0, None),
    ("8 B200", machine(1, 8, 1, BLACKWELL), "nvls", 8, 16.0, 838.0, None),
    ("8 B200", machine(1, 8, 1, BLACKWELL), "ring", 8, 16.0, 682.0, None),
    ("8 B200 (p6)", machine(1, 8, 1, BLACKWELL), "nvls", 8, 16.0, 845.67, None),
    ("NVL72", machine(18, 4, 18, BLACKWELL), "ring", 72, 16.0, 680.0, None),
    ("NVL72", machine(18, 4, 18, BLACKWELL), "nvls", 72, 16.0, 850.0, None),
    ("NVL72 (GB200)", machine(18, 4, 18, BLACKWELL), "nvls", 72, 8.0, 835.0, None),
    ("2 NVL72 (GB200)", machine(36, 4, 18, BLACKWELL), "nvls-tree", 144, 16.0, 810.0, 8),
    ("20 NVL72 (GB200)", machine(360, 4, 18, BLACKWELL), "nvls-tree", 1440, 16.0, 406.0, 8),
    ("64 H100, SHARP", machine(8, 8, 1, HOPPER), "sharp", 64, 8.0, 387.0, None),
    ("16 A100 (p4de)", machine(2, 8, 1, AMPERE, 50.0), "trees", 16, 2.0, 78.33, None),
    ("16 H100 (p5)", machine(2, 8, 1, HOPPER), "nvls-tree", 16, 16.0, 487.09, None),
    ("32 B200 (p6)", machine(4, 8, 1, BLACKWELL), "nvls-tree", 32, 16.0, 381.8, None),
)


def predicted_GBps(
    description: rs.FabricDescription, algorithm: str, n_ranks: int, size: float, n_channels: int | None
) -> float:
    """Busbw of an all-reduce over the first `n_ranks` GPUs."""
    topology = rs.build(description)
    model, _ = rs.model_for(description.fabric.technology, topology.nvlink_gbps)
    placement = rs.packed(topology, n_ranks)
    found = rs.alpha_betas(topology, placement, "all-reduce", (algorithm,), rs.Adaptive(), model, n_channels=n_channels)
    return rs.predict("all-reduce", n_ranks, (size,), found, model, best_only=True)[0].busbw_GBps


if __name__ == "__main__":
    print(f"{'machine':18} {'algorithm':9} {'size':>6} {'measured':>9} {'predicted':>9} {'ratio':>6}")
    for name, description, algorithm, n_ranks, gib, measured, n_channels in MEASURED:
        found = predicted_GBps(description, algorithm, n_ranks, gib * GIB, n_channels)
        print(f"{name:18} {algorithm:9} {gib:2.0f} GiB {measured:9.1f} {found:9.1f} {found / measured:6.2f}")
