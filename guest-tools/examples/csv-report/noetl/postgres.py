"""PostgreSQL, through connections that the host keeps.

    from noetl import postgres

    with postgres.open(config["auth"]) as db:
        for row in db.query("SELECT id, name FROM users WHERE city = $1", args["city"]):
            ...
        with db.transaction() as tx:
            tx.query("INSERT INTO seen (id) VALUES ($1)", row["id"])

A transaction is committed at the end of its `with`, and rolled back if that raises.
In tests, put an object with the same methods in the place of `postgres.open`.
"""

import decimal
import json
from contextlib import contextmanager

from . import Denied, Failed, InvalidInput, LimitReached, Timeout, dumps

try:
    from componentize_py_types import Err
    from wit_world.imports import postgres as _postgres
except ImportError:
    _postgres = None


class DatabaseError(Failed):
    """PostgreSQL refused a statement. `code` is the SQLSTATE."""

    def __init__(self, error):
        fields = ("severity", "detail", "hint", "constraint", "table", "column", "position")
        details = {name: getattr(error, name) for name in fields}
        details = {name: value for name, value in details.items() if value is not None}
        super().__init__(error.message, kind="postgres", code=error.code, details=details)


class Rows(list):
    """A statement's rows, each a dict. `affected` are those returned, inserted, updated or
    deleted; `columns` the pairs of name and type."""

    def __init__(self, rows, columns, affected):
        super().__init__(rows)
        self.columns = columns
        self.affected = affected


class _Querying:
    def __init__(self, resource):
        self._resource = resource

    def query(self, statement, *params):
        """Runs one statement. `$1` is the first of `params`.

        Texts, dates and UUIDs are of the type that the statement needs; lists and dicts
        become arrays or JSON. int8 comes as int, numeric as Decimal, json as what it
        holds, bytea as bytes, dates, times and UUIDs as texts.
        """
        with _errors():
            found = self._resource.query(statement, [_parameter(param) for param in params])
        columns = [(column.name, column.data_type) for column in found.columns]
        names = [name for name, _ in columns]
        rows = [dict(zip(names, map(_value, row))) for row in found.rows]
        return Rows(rows, columns, found.affected)


class Connection(_Querying):
    """A connection, until the end of its `with`."""

    @contextmanager
    def transaction(self):
        """A transaction. Until it ends, the connection's own `query` is refused."""
        with _errors():
            resource = self._resource.begin()
        with resource:
            try:
                yield _Querying(resource)
            except BaseException:
                with _errors():
                    resource.rollback()
                raise
            with _errors():
                resource.commit()


@contextmanager
def open(credential):
    """Takes a connection of the credential with this alias: a step's `config["auth"]`."""
    if _postgres is None:
        raise RuntimeError(
            "no PostgreSQL here: a tool needs `postgres = true` below [capabilities] in "
            "tool.toml, a test its own noetl.postgres.open"
        )
    with _errors():
        resource = _postgres.Connection.open(credential)
    with resource:
        yield Connection(resource)


def _parameter(value):
    if value is None:
        return _postgres.ParameterValue_Null()
    if isinstance(value, bool):
        return _postgres.ParameterValue_Boolean(value)
    if isinstance(value, int):
        if -(1 << 63) <= value < 1 << 63:
            return _postgres.ParameterValue_Int64(value)
        return _postgres.ParameterValue_Numeric(str(value))
    if isinstance(value, float):
        return _postgres.ParameterValue_Float64(value)
    if isinstance(value, decimal.Decimal):
        return _postgres.ParameterValue_Numeric(str(value))
    if isinstance(value, (bytes, bytearray)):
        return _postgres.ParameterValue_Binary(bytes(value))
    if isinstance(value, (list, tuple, dict)):
        return _postgres.ParameterValue_Document(dumps(value))
    return _postgres.ParameterValue_Literal(str(value))


def _value(value):
    match type(value).__name__.removeprefix("DbValue_"):
        case "Null":
            return None
        case "Numeric":
            # money comes with its currency.
            try:
                return decimal.Decimal(value.value)
            except decimal.InvalidOperation:
                return value.value
        case "Json" | "Array":
            return json.loads(value.value)
        case _:
            return value.value


@contextmanager
def _errors():
    try:
        yield
    except Err as error:
        raise _error(error.value) from None


def _error(error):
    match type(error).__name__.removeprefix("Error_"):
        case "QueryFailed":
            return DatabaseError(error.value)
        case "AccessDenied":
            return Denied(error.value)
        case "BadParameter":
            return InvalidInput(error.value)
        case "Timeout":
            return Timeout(error.value)
        case "Limit":
            return LimitReached(error.value)
        case _:
            return Failed(error.value, kind="postgres")
