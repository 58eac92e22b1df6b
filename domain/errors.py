"""What can be wrong, by kind; a code for machines, a sentence for people.

No HTTP status here: an error may end in a job's record as well as in an answer.
"""

from typing import Any, ClassVar


class DomainError(Exception):
    """A rule or a record said no; the message defaults to the class's docstring."""

    kind: ClassVar[str]
    code: ClassVar[str]

    def __init__(self, detail: str | None = None, **fields: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.fields = fields
        super().__init__(self.detail)

    def problem(self) -> dict[str, Any]:
        """Return the error as it is stored with a job."""
        return {"kind": self.kind, **self.description()}

    def description(self) -> dict[str, Any]:
        """Return what a caller is told of it."""
        return {"code": self.code, "detail": self.detail, **self.fields}


class NotFound(DomainError):
    """There is no such thing, or it is not yours to see."""

    kind = "not_found"
    code = "not_found"


class Forbidden(DomainError):
    """You may not do this."""

    kind = "forbidden"
    code = "forbidden"


class Conflict(DomainError):
    """The thing is not in a state that allows this."""

    kind = "conflict"
    code = "conflict"


class Refused(DomainError):
    """A rule said no."""

    kind = "refused"
    code = "refused"


class Invalid(DomainError):
    """The request names something that cannot be."""

    kind = "invalid"
    code = "invalid"


class IdempotencyKeyReused(Invalid):
    """This idempotency key was used before with another body; use a new one."""

    code = "idempotency_key_reused"
