"""The part of SOQL the CRM answers: `SELECT a, b FROM Type [WHERE f = literal [AND …]] [ORDER BY f [DESC]] [LIMIT n]`, and COUNT()."""

import re
from dataclasses import dataclass
from typing import Any, Final

from connectors.sandbox.crm.objects import SYSTEM_FIELDS, ObjectType, SalesforceError, object_type

TOKEN: Final = re.compile(r"\s*('(?:[^'\\]|\\.)*'|[A-Za-z_][A-Za-z0-9_.]*|-?\d[\d.:TZ+-]*|[(),=])")
ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parsed query. `fields` empty = COUNT()."""

    kind: ObjectType
    fields: tuple[str, ...]
    conditions: tuple[tuple[str, Any], ...]
    order_by: tuple[str, bool] | None
    limit: int | None


def parse(text: str) -> Query:
    """Parse. Raises: SalesforceError MALFORMED_QUERY, INVALID_FIELD or INVALID_TYPE."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        text = text.strip()
        while at < len(text):
            found = TOKEN.match(text, at)
            if found is None:
                raise _malformed(text[at : at + 1])
            self._tokens.append(found.group(1))
            at = found.end()
        self._at = 0

    def query(self) -> Query:
        self._expect("SELECT")
        names = self._names()
        self._expect("FROM")
        kind = self._kind()
        fields = tuple(_field(kind, name) for name in names)
        conditions: list[tuple[str, Any]] = []
        if self._accept("WHERE"):
            conditions.append(self._condition(kind))
            while self._accept("AND"):
                conditions.append(self._condition(kind))
        order_by = None
        if self._accept("ORDER"):
            self._expect("BY")
            name = _field(kind, self._next())
            order_by = (name, self._accept("DESC"))
            self._accept("ASC")
        limit = None
        if self._accept("LIMIT"):
            number = self._next()
            if not number.isdigit():
                raise _malformed(number)
            limit = int(number)
        if self._at < len(self._tokens):
            raise _malformed(self._tokens[self._at])
        return Query(kind=kind, fields=fields, conditions=tuple(conditions), order_by=order_by, limit=limit)

    def _names(self) -> list[str]:
        names = [self._next()]
        if names[0].upper() == "COUNT" and self._accept("("):
            self._expect(")")
            return []
        while self._accept(","):
            names.append(self._next())
        return names

    def _kind(self) -> ObjectType:
        name = self._next()
        try:
            return object_type(name)
        except SalesforceError as error:
            raise SalesforceError(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.") from error

    def _condition(self, kind: ObjectType) -> tuple[str, Any]:
        name = _field(kind, self._next())
        self._expect("=")
        return name, _literal(self._next())

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise _malformed("<EOF>")
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].upper() == word:
            self._at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        token = self._next()
        if token.upper() != word:
            raise _malformed(token)


def _literal(token: str) -> Any:
    if token.startswith("'"):
        return re.sub(r"\\(.)", lambda found: ESCAPES.get(found.group(1), found.group(1)), token[1:-1], flags=re.DOTALL)
    words = {"TRUE": True, "FALSE": False, "NULL": None}
    if token.upper() in words:
        return words[token.upper()]
    if re.fullmatch(r"-?\d+(\.\d+)?", token):
        return float(token)
    if token[0].isdigit():
        return token  # a date or a time
    raise _malformed(token)


def _field(kind: ObjectType, name: str) -> str:
    for known in (*SYSTEM_FIELDS, *kind.fields):
        if known.lower() == name.lower():
            return known
    raise SalesforceError(400, "INVALID_FIELD", f"No such column '{name}' on entity '{kind.name}'.")


def _malformed(token: str) -> SalesforceError:
    return SalesforceError(400, "MALFORMED_QUERY", f"unexpected token: {token}")
