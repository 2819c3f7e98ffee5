"""The sentences below the fields of a dataclass: `rate: float` and, in the next line, a text."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from itertools import pairwise


def field_docs(schema: type) -> Mapping[str, str]:
    """Return field name -> the text below the field, in one line; fields without one are left out.

    A class inherits the texts of its bases. Of a class whose source cannot be read, such as one
    made at run time, no text is known.
    """
    docs: dict[str, str] = {}
    for each in reversed(schema.__mro__):
        docs |= _own_docs(each)
    return docs


def _own_docs(schema: type) -> dict[str, str]:
    try:
        source = inspect.getsource(schema)
    except (OSError, TypeError):  # no file, or built into Python as `object` is
        return {}
    (found,) = ast.parse(textwrap.dedent(source)).body
    body = found.body if isinstance(found, ast.ClassDef) else []
    docs = {}
    for field, below in pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                docs[name] = " ".join(text.split())
    return docs
