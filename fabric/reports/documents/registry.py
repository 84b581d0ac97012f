"""Every JSON document by its name, and its JSON Schema."""

from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter
from typing_extensions import is_typeddict

from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.reports.documents.advise import AdviseDocument
from fabric.reports.documents.busbw import BusbwDocument
from fabric.reports.documents.compare import CompareDocument, RoutingsDocument
from fabric.reports.documents.counters import CountersDocument
from fabric.reports.documents.designs import DesignsDocument
from fabric.reports.documents.explain import ExplainDocument
from fabric.reports.documents.facts import FabricDocument, PresetsDocument
from fabric.reports.documents.faults import FaultsDocument
from fabric.reports.documents.generation import DocumentSchema
from fabric.reports.documents.health import CheckDocument
from fabric.reports.documents.host import HostDocument
from fabric.reports.documents.loads import LoadsDocument
from fabric.reports.documents.place import PlaceDocument
from fabric.reports.documents.rates import RatesDocument
from fabric.reports.documents.replay import ReplayDocument
from fabric.reports.documents.sharing import SharingDocument
from fabric.reports.documents.step import ScaleDocument, StepDocument
from fabric.reports.documents.sweep import SweepDocument
from fabric.reports.documents.trace import TraceDocument
from fabric.reports.documents.trace_busbw import TraceBusbwDocument

_registered: dict[str, type[Any]] = {}


def register_document(document: type[Any]) -> type[Any]:
    """Make the shape of a report's document known by its name.

    Parameters
    ----------
    document : type
        A typed dictionary.  Its key `schema` is a literal such as ``railscope.loads/2``: who, name, version.

    Returns
    -------
    type
        The same, so that this can be a decorator.

    Raises
    ------
    InputError
        If it does not say its name, or another document has it already: `unregister_document` takes it away.
    """
    name = schema_value(document).rpartition("/")[0].partition(".")[2]
    if name in _registered:
        raise InputError(f"document {name!r}: there is one already; expected another name")
    _registered[name] = document
    return document


def unregister_document(name: str) -> None:
    """Forget a document, as before another version of it is registered.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    _known(name)
    del _registered[name]


def schema_value(document: type[Any]) -> str:
    """What the key `schema` of a document holds: ``railscope.loads/2``.

    Raises
    ------
    InputError
        If the type does not say it.
    """
    hints = get_type_hints(document) if is_typeddict(document) else {}
    values = get_args(hints.get("schema"))
    value = values[0] if len(values) == 1 else None
    if not isinstance(value, str) or not all(value.rpartition("/")[0].partition(".")[::2]):
        raise InputError(f"document {document.__name__}: expected a typed dictionary whose key `schema` is a literal "
                         "such as railscope.loads/2")  # fmt: skip
    return value


def schema_names() -> tuple[str, ...]:
    """Names of all JSON documents, for `json_schema`."""
    return tuple(_registered)


def json_schema(name: str) -> dict[str, Any]:
    """JSON Schema (Draft 2020-12) of a document that ``--json`` prints.

    Parameters
    ----------
    name : str
        One of `schema_names`; a document's key `schema` is ``railscope.NAME/VERSION``.

    Raises
    ------
    InputError
        If there is no document of that name: names the nearest one.
    """
    document = _known(name)
    made = TypeAdapter(document).json_schema(mode="serialization", schema_generator=DocumentSchema)
    value, parts = schema_value(document), made.pop("$defs", {})
    return {"$schema": DocumentSchema.schema_dialect, "$id": value, **made, "title": value, "$defs": parts}


def _known(name: str) -> type[Any]:
    if name not in _registered:
        raise InputError(f"document {name!r} is unknown; {hint(name, _registered)}")
    return _registered[name]


for _document in (
    LoadsDocument,
    CompareDocument,
    RoutingsDocument,
    DesignsDocument,
    BusbwDocument,
    TraceBusbwDocument,
    RatesDocument,
    ExplainDocument,
    FaultsDocument,
    CountersDocument,
    AdviseDocument,
    SweepDocument,
    StepDocument,
    ScaleDocument,
    SharingDocument,
    PlaceDocument,
    ReplayDocument,
    TraceDocument,
    HostDocument,
    FabricDocument,
    CheckDocument,
    PresetsDocument,
):
    register_document(_document)
