"""How a result shows itself in an interactive session: one short line, and a small table in a notebook."""

from html import escape

Facts = list[tuple[str, str]]


class Shown:
    """Gives a class a short `repr` and a table for notebooks, both made of what `_facts` lists."""

    def _facts(self) -> Facts:
        """What there is to say: pairs of a word and its value."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{what} {value}' for what, value in self._facts())})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(what)}</th><td>{escape(value)}</td></tr>" for what, value in self._facts())
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"
