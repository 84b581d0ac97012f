"""Executes a program on data and shows that the result is the collective's.

The data are sets: a block that a member holds is the set of members whose contributions it contains.  Adding two that
share a contribution would count it twice and is refused, as is sending what one does not hold.  So what a program is
found to compute, it computes for any data and any associative, commutative operation.
"""

from collections.abc import Callable, Sequence

from collectives.bandwidth import known_collective
from collectives.catalog import algorithm_of, checked_options
from collectives.errors import InputError
from collectives.steps import NetworkStep, Program, Step

# A member's part of the whole is as many blocks as any other's.
_OWN_BLOCKS = {"all-gather", "reduce-scatter", "gather", "scatter"}
# What a member holds: block -> bit set of contributing members.
Held = list[dict[int, int]]


def execute(program: Program, held: Held) -> Held:
    """What the members hold after all steps; transfers of one step see what was held before it.

    Raises
    ------
    InputError
        If a member sends a block that it does not hold, or a contribution would be counted twice.
    """
    held = [dict(blocks) for blocks in held]
    for number, step in enumerate(program.steps):
        before = [dict(blocks) for blocks in held]
        if isinstance(step, NetworkStep):
            _add_in_the_network(number, step, before, held)
        else:
            _transfer(number, step, before, held)
    return held


def _transfer(number: int, step: Step, before: Held, held: Held) -> None:
    for t in range(len(step.src)):
        src, dst = int(step.src[t]), int(step.dst[t])
        blocks = step.contents(t).tolist()
        if len(blocks) != int(step.blocks[t]) or len(set(blocks)) != len(blocks):
            raise InputError(f"step {number}: {src} -> {dst} says {step.blocks[t]} blocks and sends {blocks}")
        for block in blocks:
            if block not in before[src]:
                raise InputError(f"step {number}: {src} sends block {block} to {dst} but does not hold it")
            value = before[src][block]
            if step.combine and block in held[dst]:
                if held[dst][block] & value:
                    raise InputError(f"step {number}: {dst} would add a contribution to block {block} twice")
                value |= held[dst][block]
            held[dst][block] = value


def _add_in_the_network(number: int, step: NetworkStep, before: Held, held: Held) -> None:
    for one in step.sums:
        for block in one.blocks.tolist():
            value = 0
            for giver in one.givers.tolist():
                if block not in before[giver]:
                    raise InputError(f"step {number}: {giver} sends block {block} to switches but does not hold it")
                if value & before[giver][block]:
                    raise InputError(f"step {number}: switches would add a contribution to block {block} twice")
                value |= before[giver][block]
            for taker in one.takers.tolist():
                held[taker][block] = value


def prove(
    collective: str,
    algorithm: str | Program,
    sizes: int | Sequence[int] | None = None,
    n_channels: int | None = None,
    cross_nic: int | None = None,
) -> None:
    """Show by execution that an algorithm is the collective.  O(steps x members x blocks), in Python.

    Parameters
    ----------
    collective : str
        One of `COLLECTIVES`.
    algorithm : str or Program
        Name of a registered algorithm, whose program is made for `sizes`; or a program.
    sizes : int or sequence of int, optional
        Members of each scale-up domain, with a name; a number is one domain.  An algorithm that does not look at
        domains is executed for all of the members.
    n_channels, cross_nic : int, optional
        With the name of an algorithm that takes them: see `collective_schedule`.

    Raises
    ------
    InputError
        If it is not: which member lacks what.  If a name is unknown, or sizes and options do not go with the algorithm.

    Examples
    --------
    >>> prove("all-reduce", "nvls", sizes=[8, 8])
    """
    known_collective(collective)
    options = {"n_channels": n_channels, "cross_nic": cross_nic}
    if isinstance(algorithm, str):
        program = _program_of(collective, algorithm, sizes, options)
    elif sizes is not None or any(value is not None for value in options.values()):
        raise InputError(f"proof of {collective}: sizes and options go with the name of an algorithm, not a program")
    else:
        program = algorithm
    _prove(collective, program)


def _program_of(
    collective: str, name: str, sizes: int | Sequence[int] | None, options: dict[str, int | None]
) -> Program:
    chosen = algorithm_of(collective, name)
    domains = [sizes] if isinstance(sizes, int) else [int(size) for size in sizes or ()]
    if not domains or min(domains) < 1:
        raise InputError(f"sizes {sizes}: expected the members of each domain, integers >= 1, such as [8, 8]")
    taken = checked_options(chosen, **options)
    program = chosen.program(sum(domains)) if chosen.domains == "unused" else chosen.program(domains, **taken)
    if program.n != sum(domains):
        raise InputError(f"algorithm {name!r}: its program is of {program.n} members; expected {sum(domains)}")
    return program


def _prove(collective: str, program: Program) -> None:
    if collective not in _CLAIMS:
        raise InputError(f"proof of {collective}: what it computes is not said; expected a row in collectives/proof.py")
    n, everyone = program.n, (1 << program.n) - 1
    if program.n_blocks % n and collective in _OWN_BLOCKS:
        raise InputError(f"{collective} of {n}: {program.n_blocks} blocks; expected a multiple of {n}")
    n_blocks = {"all-to-all": n, "send-recv": 1}.get(collective, program.n_blocks)
    if program.n_blocks != n_blocks:
        raise InputError(f"{collective} of {n}: {program.n_blocks} blocks; expected {n_blocks}")
    begin, wanted = _CLAIMS[collective](program)
    end = execute(program, begin)
    for member in range(n):
        for block in wanted[member]:
            if end[member].get(block) != wanted[member][block]:
                lacks = wanted[member][block] & ~end[member].get(block, 0) & everyone
                raise InputError(
                    f"{collective} of {n}: member {member} ends without the contributions {lacks:b} to block {block}"
                )


def _own(program: Program) -> Held:
    """Every member has its own contribution to every block."""
    return [dict.fromkeys(range(program.n_blocks), 1 << member) for member in range(program.n)]


def _block_of_member(program: Program, member: int) -> range:
    per = program.n_blocks // program.n
    return range(member * per, (member + 1) * per)


def _claim_all_reduce(program: Program) -> tuple[Held, Held]:
    full = (1 << program.n) - 1
    return _own(program), [dict.fromkeys(range(program.n_blocks), full) for _ in range(program.n)]


def _claim_reduce_scatter(program: Program) -> tuple[Held, Held]:
    full = (1 << program.n) - 1
    return _own(program), [dict.fromkeys(_block_of_member(program, m), full) for m in range(program.n)]


def _claim_all_gather(program: Program) -> tuple[Held, Held]:
    begin = [dict.fromkeys(_block_of_member(program, m), 1 << m) for m in range(program.n)]
    everything = {block: mask for held in begin for block, mask in held.items()}
    return begin, [everything] * program.n


def _claim_all_to_all(program: Program) -> tuple[Held, Held]:
    """Block ``s n + d`` goes from s to d."""
    n = program.n
    begin = [{s * n + d: 1 << s for d in range(n)} for s in range(n)]
    return begin, [{s * n + d: 1 << s for s in range(n)} for d in range(n)]


def _claim_broadcast(program: Program) -> tuple[Held, Held]:
    root = dict.fromkeys(range(program.n_blocks), 1)
    return [root, *({} for _ in range(program.n - 1))], [root] * program.n


def _claim_reduce(program: Program) -> tuple[Held, Held]:
    full = dict.fromkeys(range(program.n_blocks), (1 << program.n) - 1)
    return _own(program), [full, *({} for _ in range(program.n - 1))]


def _claim_gather(program: Program) -> tuple[Held, Held]:
    begin, everything = _claim_all_gather(program)
    return begin, [everything[0], *({} for _ in range(program.n - 1))]


def _claim_scatter(program: Program) -> tuple[Held, Held]:
    root = dict.fromkeys(range(program.n_blocks), 1)
    end: Held = [dict.fromkeys(_block_of_member(program, m), 1) for m in range(program.n)]
    return [root, *({} for _ in range(program.n - 1))], end


def _claim_send(program: Program) -> tuple[Held, Held]:
    """Block i, member i's buffer, ends at member i + 1."""
    n = program.n
    return [{m: 1 << m} for m in range(n)], [{(m - 1) % n: 1 << (m - 1) % n} for m in range(n)]


_CLAIMS: dict[str, Callable[[Program], tuple[Held, Held]]] = {
    "all-reduce": _claim_all_reduce,
    "reduce-scatter": _claim_reduce_scatter,
    "all-gather": _claim_all_gather,
    "all-to-all": _claim_all_to_all,
    "broadcast": _claim_broadcast,
    "reduce": _claim_reduce,
    "gather": _claim_gather,
    "scatter": _claim_scatter,
    "send-recv": _claim_send,
}
