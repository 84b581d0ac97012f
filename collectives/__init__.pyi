"""The public names of `collectives`, each in the module where it lives: the one list of them."""

from .algorithm import Algorithm as Algorithm, JobFacts as JobFacts
from .alltoall import all_to_all as all_to_all, rail_aligned_all_to_all as rail_aligned_all_to_all
from .bandwidth import (
    COLLECTIVES as COLLECTIVES,
    algbw_GBps as algbw_GBps,
    bus_factor as bus_factor,
    busbw_GBps as busbw_GBps,
)
from .catalog import (
    ALGORITHMS as ALGORITHMS,
    algorithm_of as algorithm_of,
    collective_schedule as collective_schedule,
    register_algorithm as register_algorithm,
    unregister_algorithm as unregister_algorithm,
)
from .demand import AllToAll as AllToAll, Demand as Demand, Flows as Flows, Groups as Groups, Reduction as Reduction
from .errors import InputError as InputError
from .hierarchical import hierarchical_all_reduce as hierarchical_all_reduce
from .layout import ParallelLayout as ParallelLayout
from .nccl_channels import Channel as Channel, channels as channels
from .nccl_peers import (
    channels_per_peer as channels_per_peer,
    communicator_channels as communicator_channels,
    ring_connections as ring_connections,
)
from .proof import prove as prove
from .ring import (
    ring_all_gather as ring_all_gather,
    ring_all_reduce as ring_all_reduce,
    ring_broadcast as ring_broadcast,
    ring_reduce as ring_reduce,
    ring_reduce_scatter as ring_reduce_scatter,
)
from .schedule import Phase as Phase, Schedule as Schedule
from .sizes import format_bytes as format_bytes, parse_bytes as parse_bytes, parse_sizes as parse_sizes
from .steps import (
    NetworkStep as NetworkStep,
    Program as Program,
    Step as Step,
    Sum as Sum,
    schedule_of as schedule_of,
    step_of as step_of,
)
from .transport import rail_aligned as rail_aligned

DISTRIBUTION: str
