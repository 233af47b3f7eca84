"""What can go wrong: one class for each ``error-kind`` of the contract, where each is described.

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


class AlreadyExistsError(OnionskinError, FileExistsError): kind = "already-exists"
class ConflictsError(OnionskinError): kind = "conflicts"
class CorruptError(OnionskinError): kind = "corrupt"
class HardLinkedError(OnionskinError): kind = "hard-linked"
class HotJournalError(OnionskinError): kind = "hot-journal"
class IllegalNameError(OnionskinError): kind = "illegal-name"
class InvalidArgumentError(OnionskinError, ValueError): kind = "invalid-argument"
class InvalidJsonError(OnionskinError, ValueError): kind = "invalid-json"
class InvalidPathError(OnionskinError, ValueError): kind = "invalid-path"
class IsDirectoryError(OnionskinError, IsADirectoryError): kind = "is-directory"
class LimitExceededError(OnionskinError): kind = "limit-exceeded"
class LinkUnreadableError(OnionskinError): kind = "link-unreadable"
class LockedError(OnionskinError, BlockingIOError): kind = "locked"
class NoPreopenError(OnionskinError): kind = "no-preopen"
class NotAFileError(OnionskinError): kind = "not-a-file"
class NotDirectoryError(OnionskinError, NotADirectoryError): kind = "not-directory"
class NotFoundError(OnionskinError, FileNotFoundError): kind = "not-found"
class PreconditionFailedError(OnionskinError): kind = "precondition-failed"
class ReadOnlyError(OnionskinError, PermissionError): kind = "read-only"
class SymlinkEscapesError(OnionskinError): kind = "symlink-escapes"
class SymlinkLoopError(OnionskinError): kind = "symlink-loop"
class SymlinkRefusedError(OnionskinError): kind = "symlink-refused"
class UnsupportedError(OnionskinError): kind = "unsupported"


class NotCommittedError(OnionskinError, OSError):
    """The filesystem failed. Nothing visible has changed; the call may be made again."""

    kind = "not-committed"


class NeedsRecoveryError(OnionskinError, OSError):
    """The change was decided. Open the root again and it is completed; do not repeat the call."""

    kind = "needs-recovery"


class OutcomeUnknownError(OnionskinError, OSError):
    """The filesystem failed at the moment of the decision. Open the root again to learn which."""

    kind = "outcome-unknown"


class StoppedError(OnionskinError):
    """The component was stopped inside the call, as if the process had died: open the root again."""

    kind = "stopped"


BY_KIND: dict[str, type[OnionskinError]] = {error.kind: error for error in OnionskinError.__subclasses__()}
