"""What of the python tool is best said in Python. Runs once, when the tool is built.

A step's code can change any module it imports. So what is used after the step's
code ran is taken into names of this module first.
"""

import sys
import time

# Here the local time is UTC, which RustPython's `time` leaves unsaid.
time.tzname, time.timezone, time.altzone, time.daylight = ("UTC", "UTC"), 0, 0, 0

# What a step can import without cost: it is in the snapshot.
_MODULES = """
abc ast asyncio base64 binascii bisect calendar cmath codecs collections collections.abc colorsys contextlib
contextvars copy csv dataclasses datetime decimal difflib email.message email.utils enum errno fnmatch fractions
functools gc hashlib heapq hmac html html.entities html.parser inspect io ipaddress itertools json keyword linecache
locale logging math numbers operator os pathlib pickle pprint queue quopri random re reprlib sched secrets shlex
statistics string struct textwrap threading time timeit traceback types typing unicodedata urllib.parse uuid warnings
weakref xml.etree.ElementTree zlib zoneinfo graphlib copyreg stat tempfile glob gzip array itertools _strptime
encodings.ascii encodings.idna encodings.latin_1 encodings.utf_16 encodings.utf_8_sig encodings.cp1252
encodings.punycode encodings.raw_unicode_escape encodings.unicode_escape encodings.hex_codec encodings.base64_codec
"""


def _import_all():
    failed = []
    for name in _MODULES.split():
        try:
            __import__(name)
        except Exception as error:
            failed.append(f"import {name}: {type(error).__name__}: {error}")
    return failed


_failed = _import_all()
if _failed:
    raise ImportError("\n".join(_failed))

import asyncio, base64, collections, dataclasses, datetime, decimal, enum, gc, hashlib, hmac, inspect, io, json
import linecache, random, re, secrets, statistics, string, textwrap, typing, urllib.parse, uuid

_MAX_LINE = 16 * 1024
_MAX_TEXT = 4000
_MAX_FRAMES = 20


def _plain(text):
    """Text that UTF-8 can carry."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()


class _LogStream(io.TextIOBase):
    """sys.stdout and sys.stderr: a log entry for each line."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name, warning):
        self.name = name
        self._warning = warning
        self._rest = ""
        self.buffer = _LogBytes(self)

    def writable(self):
        return True

    def isatty(self):
        return False

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if "\n" in text:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                write_log(self._warning, _plain(line))
        else:
            self._rest += text
        while len(self._rest) > _MAX_LINE:
            write_log(self._warning, _plain(self._rest[:_MAX_LINE]))
            self._rest = self._rest[_MAX_LINE:]
        return len(text)

    def flush(self):
        """Nothing: half a line is no entry. `finish` comes at the end."""

    def finish(self):
        rest, self._rest = self._rest, ""
        if rest:
            write_log(self._warning, _plain(rest))


class _LogBytes(io.RawIOBase):
    """`sys.stdout.buffer`."""

    def __init__(self, stream):
        self._stream = stream

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        self._stream.write(data.decode("utf-8", "replace"))
        return len(data)


_out = _LogStream("<stdout>", False)
_err = _LogStream("<stderr>", True)
sys.stdout = sys.__stdout__ = _out
sys.stderr = sys.__stderr__ = _err
sys.stdin = sys.__stdin__ = io.StringIO()


def flush_output():
    _out.finish()
    _err.finish()


parse_json = json.decoder.JSONDecoder().scan_once
_dumps = json.JSONEncoder(ensure_ascii=True, allow_nan=True, default=str).encode
# Not `random._inst.seed`, which goes through Python code to say `None`.
reseed_random = super(random.Random, random._inst).seed


def parameters(main, _signature=inspect.signature, _kinds=inspect.Parameter):
    """(name, kind, (default,) or ()) of each parameter; `*args` gets nothing."""
    found = []
    for parameter in _signature(main).parameters.values():
        default = () if parameter.default is _kinds.empty else (parameter.default,)
        if parameter.kind is _kinds.POSITIONAL_ONLY:
            found.append((parameter.name, "positional", default))
        elif parameter.kind is _kinds.VAR_KEYWORD:
            found.append((parameter.name, "any", default))
        elif parameter.kind is not _kinds.VAR_POSITIONAL:
            found.append((parameter.name, "named", default))
    return found


class _Clock:
    """What an event loop waits with, where there is nothing to wait for but time."""

    def select(self, timeout, _sleep=time.sleep):
        if timeout is None:
            raise RuntimeError("main() awaits something that nothing in the step can ever finish")
        if timeout > 0:
            _sleep(timeout)
        return []

    def close(self):
        pass


class _EventLoop(asyncio.BaseEventLoop):
    def __init__(self):
        super().__init__()
        self._selector = _Clock()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


def run_async(coroutine):
    """Runs `async def main` to its end."""
    loop = _EventLoop()
    asyncio.set_event_loop(loop)
    return loop.run_until_complete(coroutine)


def _text_of(exc):
    try:
        text = _plain(str(exc.msg if isinstance(exc, SyntaxError) else exc))
    except BaseException:
        text = "(its text can't be had: str() of it raised an exception)"
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + " …"


def _frames(exc, file, source):
    frames = []
    tb = exc.__traceback__
    while tb is not None:
        code = tb.tb_frame.f_code
        if code.co_filename == file:
            frames.append({"file": file, "line": tb.tb_lineno, "function": code.co_name, "source": source(tb.tb_lineno)})
        tb = tb.tb_next
    if isinstance(exc, SyntaxError) and exc.filename == file and exc.lineno is not None:
        frames.append({"file": file, "line": exc.lineno, "function": None, "source": source(exc.lineno)})
        if exc.offset is not None:
            frames[-1]["column"] = exc.offset
    return frames


def describe(exc, file, first, code):
    """An exception as (class name, message with its place, details as JSON)."""
    lines = code.split("\n")

    def source(line):
        return lines[line - first].strip() if first <= line < first + len(lines) else ""

    kind = type(exc).__name__
    text = _text_of(exc)
    frames = _frames(exc, file, source)
    place = file
    if frames:
        place += f", line {frames[-1]['line']}"
        if frames[-1]["function"] not in (None, "<module>"):
            place += f", in {frames[-1]['function']}"
    message = f"{kind}: {text} ({place})" if text else f"{kind} ({place})"

    module = type(exc).__module__
    details = {
        "exception": kind if module in ("builtins", "step") else f"{module}.{kind}",
        "traceback": frames[-_MAX_FRAMES:],
    }
    if len(frames) > _MAX_FRAMES:
        details["frames_left_out"] = len(frames) - _MAX_FRAMES
    notes = getattr(exc, "__notes__", None)
    if notes:
        details["notes"] = [_plain(str(note))[:_MAX_TEXT] for note in notes[:_MAX_FRAMES]]
    if isinstance(exc, BaseExceptionGroup):
        details["exceptions"] = [f"{type(each).__name__}: {_text_of(each)}" for each in exc.exceptions[:_MAX_FRAMES]]
    causes = []
    seen = {id(exc)}
    while len(causes) < _MAX_FRAMES:
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
        if exc is None or id(exc) in seen:
            break
        seen.add(id(exc))
        cause = {"exception": type(exc).__name__, "message": _text_of(exc)}
        inner = _frames(exc, file, source)
        if inner:
            cause["line"] = inner[-1]["line"]
        causes.append(cause)
    if causes:
        details["causes"] = causes
    return kind, _plain(message), _dumps(details)


def _use():
    """Uses what steps use most."""
    code = compile(
        "import json\nimport base64\nfrom datetime import datetime\nclass A:\n    x: int = 1\n"
        "    def f(self, *a, **k):\n        return [i for i in a if i] or {**k}\n"
        "def main(a, b=1, /, c=2, *, d=3):\n    try:\n        return f'{a!r:>{b}}', (yield)\n"
        "    except (KeyError, ValueError) as e:\n        raise RuntimeError('x') from e\n    finally:\n        pass\n"
        "async def g():\n    async with a as b:\n        await c\n",
        "<warm>", "exec")
    exec(code, {"__name__": "warm"})
    value = {"a": [1, 2.5, None, True, "é\n\"", -(10**30)], "b": {"c": []}}
    assert json.loads(json.dumps(value)) == value
    assert json.loads(json.dumps(value).encode()) == value
    assert json.loads(json.dumps(value, indent=2, sort_keys=True)) == value
    parse_json('{"a": [1, 2.5, null, true, "x"], "b": {"c": 123456789012345678901234567890}}', 0)
    assert base64.urlsafe_b64decode(base64.urlsafe_b64encode(b"abc?>")) == b"abc?>"
    assert base64.b64decode(base64.b64encode(b"abc?>").decode()) == b"abc?>"
    assert base64.urlsafe_b64decode("YWJjPz4=") == b"abc?>"
    assert re.sub(r"(?i)([a-z]+)-(\d+)", r"\2-\1", "ab-12") == "12-ab"
    re.match(r"^[\w.+-]+@[\w-]+\.[\w.]+$", "a@b.cd").group(0)
    datetime.datetime.strptime("2026-01-02 03:04:05", "%Y-%m-%d %H:%M:%S").strftime("%A %B %j")
    datetime.datetime.fromisoformat("2026-01-02T03:04:05+00:00").isoformat()
    datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    hashlib.sha256(b"x").hexdigest()
    hmac.new(b"k", b"m", "sha256").hexdigest()
    str(decimal.Decimal("1.10") + decimal.Decimal(2))
    urllib.parse.urlencode({"a": "b c"}), urllib.parse.parse_qs("a=1&b=2"), urllib.parse.urlsplit("https://a/b?c#d")
    urllib.parse.quote("a b"), urllib.parse.unquote("a%20b")
    str(uuid.UUID(int=1)), str(uuid.uuid4())
    string.Template("$a").substitute(a=1)
    textwrap.fill("a b c", 3)
    statistics.fmean([1, 2]), statistics.stdev([1, 2, 4])
    random.random(), random.randint(1, 6), random.choice("ab"), secrets.token_hex(8), secrets.token_urlsafe()
    reseed_random()

    @dataclasses.dataclass
    class Point:
        x: int
        y: int = 0

    dataclasses.asdict(Point(1)), repr(Point(1))
    enum.Enum("Colour", "RED GREEN")
    collections.namedtuple("Pair", "a b")(1, 2)
    typing.get_type_hints(Point)
    inspect.signature(describe)
    "é".encode("utf-8").decode("utf-8"), "x".encode("ascii"), b"x".decode("latin-1")
    try:
        exec(compile("def f():\n    return {}['x']\nf()\n", "<warm>", "exec"), {})
    except KeyError as exc:
        describe(exc, "<warm>", 1, "a\nb\nc\n")


def warm():
    """Does once what is done lazily, and often enough what adapts to its use."""
    for _ in range(40):
        _use()
        re.purge()
    linecache.clearcache()
    gc.collect()
    gc.freeze()


def tracked():
    """What the collector knows of: all else hangs on it."""
    return gc.get_objects()


_held = []


def empty_freelists(count=400):
    """Takes what RustPython keeps of freed objects for their next use: they lie
    anywhere in the snapshot, and each would be a page that a step writes to."""

    def generator():
        yield

    class Plain:
        def method(self):
            pass

    keep = _held.append
    plain = Plain()
    for n in range(count):
        keep([n]), keep({}), keep({"a": n}), keep({n}), keep(n + 0.5), keep(n + 10**6), keep(10**30 + n)
        keep(plain.method), keep(keep.__call__), keep(iter([n])), keep(iter((n,))), keep(range(n)), keep(slice(n))
        keep(complex(n, 1)), keep(str(n) + "x"), keep(bytes(8)), keep(bytearray(8)), keep(generator()), keep(Plain())
        keep(iter({n: n})), keep({n: n}.items()), keep(lambda: n), keep(map(str, [n])), keep(zip([n])), keep(enumerate([n]))
        keep(KeyError(n)), keep(ValueError(n)), keep(property(None)), keep(reversed([n])), keep(str(n) + "é"), keep(iter("ab"))
        for size in range(20):
            keep((n,) * size)
