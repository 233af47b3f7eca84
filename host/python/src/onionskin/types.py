"""What the calls take and give; described in the contract, under the same names."""

from dataclasses import dataclass
from typing import Literal, TypedDict

Durability = Literal["visible", "data", "full"]
Symlinks = Literal["refuse", "replace", "follow-within"]


@dataclass(frozen=True)
class Receipt:
    transaction: int
    achieved: Durability
    applied: int
    bytes: int


@dataclass(frozen=True)
class Finding:
    path: str
    verdict: Literal["clean", "swept", "rolled-back", "rolled-forward", "quarantined", "in-use"]
    detail: str


@dataclass(frozen=True)
class Fingerprint:
    kind: Literal["file", "directory", "symlink", "other"]
    size: int
    modified: int | None = None
    digest: bytes | None = None


@dataclass(frozen=True)
class Abilities:
    tier: Literal["refused", "process-crash", "atomic", "durable"]
    symlinks: bool | None
    hard_links: bool | None
    directory_sync: bool | None
    case_sensitive: bool | None
    reason: str


class WriteOptions(TypedDict, total=False):
    """How to write one file. Usually ``full``, ``replace``, ``none`` and ``rewrite``."""

    durability: Durability
    symlinks: Symlinks
    when: Literal["none", "absent", "single-link"] | Fingerprint
    same: Literal["rewrite", "keep"]


class DirectoryOptions(TypedDict, total=False):
    """How to run a transaction. Usually ``in-place``, ``full`` and ``replace``."""

    publish: Literal["in-place", "swap", "pointer"]
    durability: Durability
    symlinks: Symlinks
