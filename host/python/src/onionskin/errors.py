"""What can go wrong. Each ``error-kind`` of the contract has its class in ``_contract``.

Unless a class says otherwise, nothing has changed.
"""

from typing import ClassVar


class OnionskinError(Exception):
    """A call that failed. The message says what happened and what to do about it."""

    kind: ClassVar[str]

    def __init__(self, message: str, subject: str = "", cause: str | None = None) -> None:
        super().__init__(message)
        self.subject = subject
        """What it is about: mostly a path relative to the root."""
        self.cause = cause
        """What the filesystem said, for people and logs."""


class StoppedError(OnionskinError):
    """The component was stopped inside the call, as if the process had died: open the root again."""

    kind = "stopped"
