"""MmsError: a request that the server refuses, or does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from mms_server.mms.errors import DataAccessError, ServiceError
from mms_server.stack.errors import WireError

Refusal = DataAccessError | ServiceError


class MmsError(Exception):
    """A request that failed: the text says of what and why; `error` is the server's own word, None if it said none."""

    def __init__(self, subject: str, reason: str, error: Refusal | None = None) -> None:
        super().__init__(f"{subject}: {reason}")
        self.reason = reason
        self.error = error

    @classmethod
    def refused(cls, subject: str, error: Refusal) -> "MmsError":
        """The error of a request about `subject` that the server refuses with `error`."""
        return cls(subject, words(error), error)


@contextmanager
def understood(subject: str) -> Iterator[None]:
    """Context that turns the errors of decoding an answer into a MmsError about `subject`."""
    try:
        yield
    except WireError as error:
        raise MmsError(subject, str(error)) from error


def words(member: Enum) -> str:
    """A member's name as the standard spells it: OBJECT_NON_EXISTENT is object-non-existent."""
    return member.name.lower().replace("_", "-")
