"""Why a tool has no result."""


class ToolError(Exception):
    """Any of the errors below."""

    def __init__(self, message):
        super().__init__(message)
        self.message = str(message)


class InvalidInput(ToolError):
    """`args` or `config` are not what the tool needs."""


class Denied(ToolError):
    """The step was not granted what the tool asked for."""


class Timeout(ToolError):
    """Something outside took longer than it may."""


class LimitReached(ToolError):
    """A limit of the step was reached."""


class Failed(ToolError):
    """The work itself failed.

    `kind` says what, for programs; `code` is one of a standard, such as an SQLSTATE;
    `details` is a dict with more.
    """

    def __init__(self, message, kind="failed", code=None, details=None):
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.details = details
