"""A training step from Python: where the experts of DeepSeek-V3 talk, packed and scattered, and how large it all is.

The script runs cell by cell in an editor that knows `# %%`, or as a whole.
"""

# %% A workload that ships with railscope, on 512 GPUs of 8 racks.
import railscope as rs

fabric = rs.open_fabric("gb300-2048")
workload = rs.read_workload("deepseek-v3")
packed = rs.study_step(fabric, workload, 512, levers=False)
print(f"packed: {packed.best.time.step_s:.2f} s a step")
for axis in packed.axes:
    print(f"  {axis.axis:4} up to the {axis.tier:6} tier, {axis.exposed_s:8.4f} s exposed")

# %% The same job shuffled over its hosts, and the order that mends it.
placing = rs.study_placing(fabric, workload, rs.PlacementRule("scattered", gpus=512))
for one in (placing.given, placing.proposed):
    crossing, groups = one.crossing["ep"]
    print(f"{one.name}: {one.time.step_s:.2f} s, {crossing} of {groups} expert-parallel groups cross racks")

# %% For the scheduler: a host a task, rank 0 first.
hosts = rs.launcher_text("slurm-hostfile", fabric, placing.assignment.placement).split()
print(f"SLURM_HOSTFILE: {len(hosts)} lines, {', '.join(hosts[:5])}, ...")

# %% Volumes alone need no fabric.
for operation in rs.step_operations(rs.Workload.of(workload, 512)):
    print(f"  {operation.axis:4} {operation.label:15} {operation.bytes / 1e6:9.1f} MB")
