"""A collective algorithm of one's own: proven by execution, then routed and timed like those that ship.

A one-step all-gather, in which every member sends its block to all others at once.
"""

import numpy as np

import railscope as rs


def one_step_all_gather(n: int) -> rs.Program:
    """Block i of `n` belongs to member i."""
    return rs.Program(n, n, (rs.step_of([(i, j, np.array([i])) for i in range(n) for j in range(n) if i != j]),))


for n in range(2, 34):
    rs.prove("all-gather", one_step_all_gather(n))
print("an all-gather for 2 to 33 members")

try:
    rs.prove("all-gather", rs.Program(4, 4, one_step_all_gather(3).steps))
except rs.InputError as error:
    print(f"not one: {error}")

topology = rs.open_fabric("hgx-b200-64").topology
placement, groups, size = rs.packed(topology), rs.Groups.consecutive(64, 64), rs.parse_bytes("256MiB")
schedule = rs.schedule_of(one_step_all_gather, groups, np.array([size]), "one step")
loads = rs.schedule_loads(topology, schedule, placement)
model, sources = rs.model_for("infiniband", topology.nvlink_gbps)
cost = rs.alpha_beta_of("one step", schedule, loads, placement, size, model, members=64)
for bytes_ in (rs.parse_bytes("64KiB"), size):
    time_s, protocol = rs.predicted_s(cost, bytes_, model)
    busbw = rs.busbw_GBps("all-gather", 64, bytes_, time_s)
    print(f"{rs.format_bytes(bytes_)}: {time_s * 1e6:.1f} us with {protocol.name}, {busbw:.1f} GB/s busbw")
