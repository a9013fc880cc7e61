"""What a noetl tool in Python is written with.

    import noetl

    @noetl.tool
    def run(args, config):
        return {"text": "Hello"}

`run` gets the step's `args` and `config` as dicts. What it returns is the step's
`result.data`: anything that JSON has, and Decimal, date, time and UUID, which become texts.
It fails by raising one of the errors below; any other exception fails the step too, under
the name of its class. What it prints goes nowhere: `noetl.log` writes to the step's log.

`noetl.http` and `noetl.postgres` reach out, if tool.toml asks for that below [capabilities].
"""

import datetime
import decimal
import json
import random
import sys
import traceback
import uuid

from .errors import Denied, Failed, InvalidInput, LimitReached, Timeout, ToolError

try:
    import wit_world
    from componentize_py_types import Err
    from wit_world.imports import log as _log
    from wit_world.imports import types as _types
except ImportError:  # not in a component: a test
    _types = None

__all__ = [
    "tool", "invocation", "log", "dumps",
    "ToolError", "InvalidInput", "Denied", "Failed", "Timeout", "LimitReached",
]

#: The call that is answered: `execution_id`, `step`, `tenant`. None in tests.
invocation = None


def log(message, level="info"):
    """Writes to the step's log; `level` is debug, info, warn or error."""
    if _types is None:
        print(f"{level}: {message}", file=sys.stderr)
    else:
        _log.write(_log.Level[level.upper()], str(message))


def tool(function):
    """Makes a function of `args` and `config` the tool. One for each tool, in app.py."""
    if _types is not None:
        # The name that componentize-py looks for.
        function.__globals__["WitWorld"] = _world(function)
    return function


def dumps(value):
    """JSON of a value, with Decimal, date, time and UUID as texts."""
    return json.dumps(value, default=_as_text, ensure_ascii=False, allow_nan=False)


def _as_text(value):
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} can't be written as JSON")


def _world(function):
    class WitWorld(wit_world.WitWorld):
        def run(self, called):
            global invocation
            invocation = called
            # The generator's state was made when the tool was built.
            random.seed()
            try:
                data = function(json.loads(called.args), json.loads(called.config))
                return _types.Output(dumps(data))
            except ToolError as error:
                raise Err(_as_wit(error)) from None
            except Exception as error:
                raise Err(_as_wit(_unforeseen(error))) from None

    return WitWorld


def _unforeseen(error):
    frames = traceback.extract_tb(error.__traceback__)[1:]
    lines = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-10:]]
    return Failed(str(error), kind=type(error).__name__, details={"traceback": lines})


def _as_wit(error):
    if isinstance(error, Failed):
        details = None if error.details is None else dumps(error.details)
        failure = _types.Failure(error.kind, error.message, error.code, details)
        return _types.ToolError_Failed(failure)
    variant = {
        InvalidInput: _types.ToolError_InvalidInput,
        Denied: _types.ToolError_Denied,
        Timeout: _types.ToolError_Timeout,
        LimitReached: _types.ToolError_Limit,
    }
    for kind, make in variant.items():
        if isinstance(error, kind):
            return make(error.message)
    raise TypeError(f"{type(error).__name__} is none of noetl's errors") from error
