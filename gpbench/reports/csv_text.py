"""Tables as CSV text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a header and one line per row; what a row lacks, and None, is empty.

    Python's own writer does not quote a lone carriage return, at which readers break lines.
    """
    lines = ([_cell(row.get(column)) for column in columns] for row in rows)
    return "".join(f"{','.join(line)}\n" for line in ([*columns], *lines))


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if set(text) & set(',"\r\n') else text
