"""``topology.dot``: the cabling plan of Cumulus' Prescriptive Topology Manager, and of NVIDIA Air.

Grammar: Graphviz' DOT language, of which undirected graphs are meant (NVIDIA, Cumulus Linux user guide, "Prescriptive
Topology Manager"): ``"leaf01":"swp31" -- "spine01":"swp1"``, ports optional, names quoted or not.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from collectives.errors import InputError
from collectives.gate import quoted
from fabric.formats.dump import Oddities
from fabric.formats.ethernet.cabling import FABRIC_SWITCH, HOST, Cabling, NamedCable, assembled, speed_gbps
from traces.files import read_text

_TOKEN = re.compile(
    r"(?P<blank>[ \t\r\f\v\ufeff]+|//[^\n]*|\#[^\n]*)"
    r"|(?P<lines>\n+|/\*[\s\S]*?\*/)"
    r'|"(?P<quoted>(?:[^"\\]|\\[\s\S])*)"'
    r"|(?P<edge>--|->)"
    r"|(?P<sign>[{}\[\];,:=])"
    r"|(?P<name>[^\s\"{}\[\];,:=#<>-]+(?:-(?![->])[^\s\"{}\[\];,:=#<>-]+)*-*)"
)
# What NVIDIA Air and topology converters put into `function` of a node; other words say nothing.
_FUNCTIONS = {
    **dict.fromkeys(
        ("leaf", "spine", "superspine", "super-spine", "core", "tor", "exit", "border", "switch", "oob-switch"),
        FABRIC_SWITCH,
    ),
    **dict.fromkeys(("host", "server", "gpu", "oob-server", "storage"), HOST),
}
_KIND_KEYS = ("function", "role")
_SPEED_KEYS = ("speed", "link_speed", "bandwidth")


class _Token(NamedTuple):
    """A word of the language: `kind` is ``edge``, ``sign``, ``name`` or ``quoted``."""

    kind: str
    text: str
    line: int


def read_dot(path: str | Path) -> Cabling:
    """Read a plan: each edge is a cable; an edge's ``speed``, and a node's ``function``, are read where they are given.

    Raises
    ------
    InputError
        Names file and line, and what was expected.
    """
    text = read_text(path)
    tokens = list(_tokens(path, text))
    odd = Oddities(path)
    reader = _Reader(path, tokens)
    reader.head()
    cables = reader.body()
    return assembled(path, cables, odd, reader.kinds)


def _tokens(path: str | Path, text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at : at + 40].split("\n")[0]
            what = "a quote that does not end" if text[at] == '"' else quoted(rest)
            raise InputError(f'{path}:{line}: {what}; expected DOT, such as "leaf01":"swp31" -- "spine01":"swp1"')
        kind = found.lastgroup or ""
        if kind == "lines":
            line += found[0].count("\n")
        elif kind != "blank":
            word = found[kind]
            yield _Token(kind, re.sub(r"\\([\s\S])", r"\1", word) if "\\" in word else word, line)
            line += word.count("\n")
        at = found.end()


class _Reader:
    """Goes through the words once."""

    def __init__(self, path: str | Path, tokens: list[_Token]) -> None:
        self._path = path
        self._tokens = tokens
        self._at = 0
        self.kinds: dict[str, str] = {}

    def head(self) -> None:
        """``strict graph NAME {``."""
        words = []
        while (token := self._next("a graph, such as graph fabric {")).text != "{" or token.kind != "sign":
            words.append(token)
        kinds = [word.text.lower() for word in words]
        kinds = kinds[1:] if kinds[:1] == ["strict"] else kinds
        if not kinds or kinds[0] not in ("graph", "digraph") or len(kinds) > 2:
            first = words[0] if words else token
            raise InputError(f"{self._path}:{first.line}: {quoted(first.text)}; expected graph NAME {{")

    def body(self) -> list[NamedCable]:
        """Cables of all statements; those of subgraphs too."""
        cables: list[NamedCable] = []
        depth = 1
        while depth:
            token = self._next("a bracket that ends the graph; is the file whole?")
            if token.kind == "sign":
                depth += {"{": 1, "}": -1}.get(token.text, 0)
                if token.text not in "{};,":
                    raise self._refusal(token, "a device's name")
            elif token.kind == "edge":
                raise self._refusal(token, "a device in front of it")
            elif token.kind == "name" and token.text.lower() == "subgraph":
                if not self._peek("{"):
                    self._next("the name of a subgraph")
            else:
                cables += self._statement(token)
        return cables

    def _statement(self, first: _Token) -> Iterator[NamedCable]:
        """A node or a chain of edges, with its attributes; or ``name = value``."""
        if self._taken("="):
            self._word("a value")
            return
        ends = [(first, self._port())]
        while self._at < len(self._tokens) and self._tokens[self._at].kind == "edge":
            self._at += 1
            device = self._word("a device's name")
            ends.append((device, self._port()))
        attributes = self._attributes()
        if len(ends) == 1 and first.kind == "name" and first.text.lower() in ("graph", "node", "edge"):
            return
        where = f"{self._path}:{first.line}"
        if len(ends) == 1:
            said = next((attributes[key] for key in _KIND_KEYS if key in attributes), "").lower()
            if said in _FUNCTIONS:
                self.kinds[first.text] = _FUNCTIONS[said]
        speed = next((attributes[key] for key in _SPEED_KEYS if key in attributes), None)
        gbps = None if speed is None else speed_gbps(speed, f"{where}: speed", 1.0)
        for (one, port), (other, peer_port) in pairwise(ends):
            yield NamedCable(one.text, port, other.text, peer_port, gbps, f"{self._path}:{other.line}")

    def _port(self) -> str:
        """What stands behind the colon; a compass point behind it means nothing here."""
        port = self._word("a port's name").text if self._taken(":") else ""
        if port and self._taken(":"):
            self._word("a compass point")
        return port

    def _attributes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while self._taken("["):
            while not self._taken("]"):
                if self._taken(",") or self._taken(";"):
                    continue
                key = self._word("an attribute").text.lower()
                found[key] = self._word("a value").text if self._taken("=") else ""
        return found

    def _peek(self, sign: str) -> bool:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        return token is not None and token.kind == "sign" and token.text == sign

    def _taken(self, sign: str) -> bool:
        if not self._peek(sign):
            return False
        self._at += 1
        return True

    def _word(self, expected: str) -> _Token:
        token = self._next(expected)
        if token.kind not in ("name", "quoted"):
            raise self._refusal(token, expected)
        return token

    def _next(self, expected: str) -> _Token:
        if self._at >= len(self._tokens):
            line = self._tokens[-1].line if self._tokens else 1
            raise InputError(f"{self._path}:{line}: ends here; expected {expected}")
        self._at += 1
        return self._tokens[self._at - 1]

    def _refusal(self, token: _Token, expected: str) -> InputError:
        return InputError(f"{self._path}:{token.line}: {quoted(token.text)}; expected {expected}")
