"""Which routing policies there are, and how each is carried out: the one place where a policy is added.

A policy says for pairs of endpoints which links they take (*paths*), and may say faster what explicit flows (*flows*)
and all-to-alls (*all_to_all*) put on the links; what it does not say is derived from what it does.  The policies that
railscope brings stand in `fabric.routing.builtin`.
"""

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from collectives.demand import AllToAll, Flows, Int32Vector
from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.jobs.placement import Placement
from fabric.routing.flow_paths import RoutedFlows
from fabric.routing.policies import Routing
from fabric.topology import Topology

if TYPE_CHECKING:
    from fabric.routing.loads import LinkLoads

P = TypeVar("P", bound=Routing)

Paths = Callable[[Topology, Int32Vector, Int32Vector, P], RoutedFlows]
FlowLoads = Callable[[Topology, Flows, Placement, P, int | None], "LinkLoads"]
AllToAllLoads = Callable[[Topology, AllToAll, Placement, P, int | None], "LinkLoads"]
SeedLoads = Callable[[Topology, Flows | AllToAll, Placement, Sequence[P], int | None], "list[LinkLoads]"]


@dataclass(frozen=True)
class Handlers:
    """How a policy is carried out; None for what is derived, or not to be had.

    Attributes
    ----------
    paths, flows, all_to_all, seeds : callable or None
        As for `register_policy`.
    """

    paths: Paths[Any] | None
    flows: FlowLoads[Any] | None
    all_to_all: AllToAllLoads[Any] | None
    seeds: SeedLoads[Any] | None = None


_HANDLERS: dict[type[Routing], Handlers] = {}


def register_policy(
    policy: type[P],
    *,
    paths: Paths[P] | None = None,
    flows: FlowLoads[P] | None = None,
    all_to_all: AllToAllLoads[P] | None = None,
    seeds: SeedLoads[P] | None = None,
) -> None:
    """Make a class of routing policies known to `link_loads`, `route_flows` and all that calls them.

    `paths` is enough.  Loads of flows are then added up along their paths, and all-to-alls are written out as flows, a
    block of pairs at a time (`fabric.routing.pairs.BLOCK_PAIRS`), so that memory stays bounded; that takes time in
    proportion to the pairs, and suits some thousand endpoints.  What a pair does must not depend on which other pairs
    are asked at the same time.

    Registering a class of the same name from the same place again replaces it, as when a notebook's cell is run twice.

    Parameters
    ----------
    policy : type
        A subclass of `Routing`; its own subclasses are carried out alike, unless they are registered too.
    paths : callable, optional
        ``paths(topology, src, dst, policy) -> RoutedFlows``: the links that flows between endpoints take, `src` and
        `dst` (F,) int32.  Only pairs of different endpoints in different scale-up domains are asked, unless the class
        says ``routes_domains``.
    flows : callable, optional
        ``flows(topology, demand, placement, policy, n_threads) -> LinkLoads``: what the flows between domains put on
        the links (with ``routes_domains`` all flows).
    all_to_all : callable, optional
        The same for an `AllToAll`.
    seeds : callable, optional
        ``seeds(topology, demand, placement, policies, n_threads) -> list of LinkLoads``: the same for either, for each
        of some policies that differ by their field `seed` only.

    Raises
    ------
    InputError
        If neither paths nor flows are given, `policy` is no subclass of `Routing` with a name, or its name is taken.
    """
    if not (isinstance(policy, type) and issubclass(policy, Routing) and hasattr(policy, "name")):
        raise InputError(f"policy: expected a subclass of Routing with a name, got {policy!r}")
    if paths is None and flows is None:
        raise InputError(f"policy {policy.name}: expected paths, or flows")
    for other in list(_HANDLERS):
        if other.name == policy.name and other is not policy:
            if (other.__module__, other.__qualname__) != (policy.__module__, policy.__qualname__):
                raise InputError(f"policy {policy.name}: {other.__module__}.{other.__qualname__} has that name already")
            del _HANDLERS[other]
    _HANDLERS[policy] = Handlers(paths, flows, all_to_all, seeds)


def handlers_of(routing: Routing) -> Handlers:
    """How a policy is carried out.

    Raises
    ------
    InputError
        If its class is not registered.
    """
    for kind in type(routing).__mro__:
        if kind in _HANDLERS:
            return _HANDLERS[kind]
    what = repr(routing) if isinstance(routing, str | type) else f"an object of type {type(routing).__name__}"
    known = ", ".join(kind.__name__ for kind in _HANDLERS)
    raise InputError(f"routing: expected a registered policy ({known}; register_policy adds one), got {what}")


def policy_names() -> tuple[str, ...]:
    """Names of all registered policies, in the order of their registration."""
    return tuple(kind.name for kind in _HANDLERS)


def ready_policy_names() -> tuple[str, ...]:
    """Names of the policies that need nothing from their user: `make_policy` makes them by name alone."""
    return tuple(name for name in policy_names() if not needed_parameters(name))


def policy_options(name: str) -> dict[str, Any]:
    """Parameters of a policy that can be left out, with their defaults: what a command may offer as options.

    Raises
    ------
    InputError
        If there is no policy of that name.
    """
    return {key: default for key, default in _parameters(name).items() if default is not MISSING}


def needed_parameters(name: str) -> tuple[str, ...]:
    """Parameters of a policy that only its user can give: tables, weights, paths.

    Raises
    ------
    InputError
        If there is no policy of that name.
    """
    return tuple(key for key, default in _parameters(name).items() if default is MISSING)


def make_policy(name: str, **parameters: Any) -> Routing:
    """A policy by its name.

    Parameters
    ----------
    name : str
        One of `policy_names`.
    **parameters
        Of the policy (fields of its dataclass); those in `needed_parameters` must be among them.

    Raises
    ------
    InputError
        If there is no policy of that name, a parameter is not one of its, or one is missing.
    """
    known = _parameters(name)
    for key in parameters:
        if key not in known:
            raise InputError(f"{key}: {name} has no such parameter; expected {' or '.join(known) or 'none'}")
    missing = [key for key in needed_parameters(name) if key not in parameters]
    if missing:
        raise InputError(f"{name}: expected {', '.join(missing)}")
    return _class_of(name)(**parameters)


def _class_of(name: str) -> type[Routing]:
    for kind in _HANDLERS:
        if kind.name == name:
            return kind
    raise InputError(f"routing {name!r} is unknown; {hint(name, policy_names())}")


def _parameters(name: str) -> dict[str, Any]:
    """Defaults of a policy's parameters, `MISSING` for one that has none."""
    kind = _class_of(name)
    if not is_dataclass(kind):
        return {}
    return {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(kind)
        if field.init
    }
