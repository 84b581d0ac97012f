"""A collective algorithm of one's own: registered, proven by execution, then used by name like those that ship.

A one-step all-gather, in which every member sends its block to all others at once.
"""

import numpy as np

import railscope as rs


def one_step_all_gather(n: int) -> rs.Program:
    """Block i of `n` belongs to member i."""
    return rs.Program(n, n, (rs.step_of([(i, j, np.array([i])) for i in range(n) for j in range(n) if i != j]),))


rs.register_algorithm(rs.Algorithm("all-gather", "one-step", one_step_all_gather))

for n in range(2, 34):
    rs.prove("all-gather", "one-step", sizes=n)
print("an all-gather for 2 to 33 members")

try:
    rs.prove("all-gather", rs.Program(4, 4, one_step_all_gather(3).steps))
except rs.InputError as error:
    print(f"not one: {error}")

topology = rs.open_fabric("hgx-b200-64").topology
placement, groups, size = rs.packed(topology), rs.Groups.consecutive(64, 64), rs.parse_bytes("256MiB")
schedule = rs.collective_schedule("all-gather", groups, size, "one-step")
loads = rs.schedule_loads(topology, schedule, placement)
print(f"{schedule}: {loads.bottleneck_time_s * 1e3:.2f} ms at least")

model, sources = rs.model_for("infiniband", topology.nvlink_gbps)
found = rs.alpha_betas(topology, placement, "all-gather", ("one-step", "ring", "rings"), rs.Adaptive(), model)
for row in rs.predict("all-gather", 64, rs.parse_sizes("64KiB,256MiB"), found, model, best_only=False):
    print(
        f"{rs.format_bytes(row.size)}: {row.algorithm} {row.time_s * 1e6:.1f} us with {row.protocol}, "
        f"{row.busbw_GBps:.1f} GB/s busbw"
    )
