"""HTTP, through the host, to what tool.toml asks for and the tenant was granted.

    from noetl import http

    answer = http.get("https://api.example.com/v1", params={"q": "Berlin"})
    if answer.ok:
        city = answer.json()

In tests, put a function of the same parameters in the place of `http.send`.
"""

import json as _json
from urllib.parse import urlencode

from . import Denied, Failed, InvalidInput, LimitReached, Timeout, dumps

try:
    from componentize_py_types import Err
    from wit_world.imports import http as _http
except ImportError:
    _http = None

_CHUNK = 1 << 16


class Response:
    """An answer: `status`, `url` after redirects, `headers` and `body`, in bytes.

    Headers have names in small letters; several of a name are joined by commas.
    """

    def __init__(self, status, url="", headers=None, body=b""):
        self.status = status
        self.url = url
        self.headers = headers or {}
        self.body = body

    @property
    def ok(self):
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self):
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self):
        """The body read as JSON. Fails if it is none."""
        try:
            return _json.loads(self.body)
        except ValueError as error:
            raise Failed(f"{self.url} answered no JSON: {error}", kind="http") from None


def get(url, **options):
    """Sends a GET; the options are those of `send`."""
    return send("GET", url, **options)


def post(url, **options):
    """Sends a POST; the options are those of `send`."""
    return send("POST", url, **options)


def send(
    method, url, *, params=None, headers=None, json=None, body=b"",
    credential=None, timeout=None, redirects=5, max_age=None,
):
    """Sends a request and reads the whole answer, whatever its status is.

    `params` go into the URL. `json` is sent as such, `body` (bytes or text) as it is.
    `credential` is the alias that the host signs the request with: a step's
    `config["auth"]`. `timeout` and `max_age` are in seconds; an answer to the same GET that
    the host has kept will do if it is not older than `max_age`.
    """
    if _http is None:
        raise RuntimeError(
            "no HTTP here: a tool needs `http` below [capabilities] in tool.toml, "
            "a test its own noetl.http.send"
        )
    headers = dict(headers or {})
    if params:
        url += ("&" if "?" in url else "?") + urlencode(params, doseq=True)
    if json is not None:
        body = dumps(json)
        headers.setdefault("content-type", "application/json")
    if isinstance(body, str):
        body = body.encode()
    request = _http.Request(
        method, url, list(headers.items()), body, credential,
        None if timeout is None else int(timeout * 1000), redirects, max_age,
    )
    try:
        response = _http.send(request)
        received = {}
        for name, value in response.headers:
            received[name] = f"{received[name]}, {value}" if name in received else value
        with response.body as stream:
            content = b"".join(iter(lambda: stream.read(_CHUNK), b""))
        return Response(response.status, response.url, received, content)
    except Err as error:
        raise _error(error.value) from None


def _error(error):
    message = error.value
    known = {
        _http.Error_Denied: Denied,
        _http.Error_InvalidRequest: InvalidInput,
        _http.Error_Timeout: Timeout,
        _http.Error_Limit: LimitReached,
    }
    make = known.get(type(error))
    return make(message) if make else Failed(message, kind="http")
