"""Turns the contract into Python, as `_contract.py`: its types, errors and calls, with what it says of each."""

import re
from pathlib import Path
from textwrap import indent
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
WIT = HERE / "../../wit"
HEAD = '''"""Generated from the contract, `wit/`."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict

from .errors import OnionskinError
'''
# What Python calls such an error, too.
PYTHONS_OWN = {
    "already-exists": "FileExistsError", "invalid-argument": "ValueError", "invalid-json": "ValueError",
    "invalid-path": "ValueError", "is-directory": "IsADirectoryError", "locked": "BlockingIOError",
    "needs-recovery": "OSError", "not-committed": "OSError", "not-directory": "NotADirectoryError",
    "not-found": "FileNotFoundError", "outcome-unknown": "OSError", "read-only": "PermissionError",
}
# The package has something more fitting for these, as for calls that take options.
BY_HAND = {"error", "limits", "open-options", "options", "commit-options", "select", "step", "action",
           "tracing", "relocation", "materialize", "steps", "list", "changes", "conflicts"}
PLAIN = {"string": "str", "bool": "bool", "u32": "int", "u64": "int", "list<u8>": "bytes", "_": "None"}
LINE = re.compile(
    r"(?:(?P<block>enum|variant|record|resource) )?%?(?P<name>[a-z0-9-]+)"
    r"(?: \{|,|\((?P<of>.*)\),|: (?P<type>[^(]*),"
    r"|: (?P<static>static )?func\((?P<params>.*?)\)(?: -> (?P<result>.*))?;)"
)
Member = tuple[re.Match[str], list[str]]


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def snake(name: str) -> str:
    return name.replace("-", "_")


def python(wit: str) -> str:
    """A type of the contract. The error of a result is raised, and so left out."""
    if wit in PLAIN:
        return PLAIN[wit]
    outer, _, inner = wit.removesuffix(">").partition("<")
    match outer:
        case "list":
            return f"list[{python(inner)}]"
        case "option":
            return f"{python(inner)} | None"
        case "result":
            return python(inner.rsplit(",", 1)[0])
    return camel(wit)


def told(docs: list[str], deep: str = "    ") -> str:
    return indent('"""' + "\n".join(docs) + ('"""' if len(docs) == 1 else '\n"""'), deep) + "\n"


def errors(members: list[Member]) -> str:
    def error(name: str, docs: list[str]) -> str:
        bases = ", ".join(["OnionskinError", PYTHONS_OWN[name]] if name in PYTHONS_OWN else ["OnionskinError"])
        return f'class {camel(name)}Error({bases}):\n{told(docs)}\n    kind = "{name}"\n'

    return "\n\n".join(error(member["name"], docs) for member, docs in members)


def cases(name: str, docs: list[str], members: list[Member]) -> str:
    plain = ", ".join(f'"{member["name"]}"' for member, _ in members if not member["of"])
    full = (f'tuple[Literal["{member["name"]}"], {python(member["of"])}]' for member, _ in members if member["of"])
    each = [line for member, said in members for line in ("", f"{member['name']}: {said[0]}", *said[1:])]
    return f"{camel(name)}: TypeAlias = {' | '.join([f'Literal[{plain}]', *full])}\n{told(docs + each, '')}"


def record(name: str, docs: list[str], members: list[Member]) -> str:
    head = f"@dataclass(frozen=True)\nclass {camel(name)}:\n"
    if name.endswith("-options"):
        head = f"class {camel(name)}(TypedDict, total=False):\n"
    fields = (f"    {snake(member['name'])}: {python(member['type'])}\n{told(said)}" for member, said in members)
    return f"{head}{told(docs)}\n{''.join(fields)}"


def resource(name: str, docs: list[str], members: list[Member]) -> str:
    def call(member: re.Match[str], docs: list[str]) -> str:
        given = [part.split(": ") for part in re.split(r", (?=[a-z-]+: )", member["params"]) if part]
        params = ", ".join(["self", *(f"{snake(name)}: {python(wit)}" for name, wit in given)])
        passed = ", ".join([f'"{member["name"]}"', *(snake(name) for name, _ in given)])
        result = python(member["result"] or "_")
        run = f"answer: {result} = self._call({passed})\n        return answer"
        run = f"self._call({passed})" if result == "None" else run
        return f"\n    def {snake(member['name'])}({params}) -> {result}:\n{told(docs, ' ' * 8)}        {run}\n"

    ours = (item for item in members if not item[0]["static"] and item[0]["name"] not in BY_HAND)
    plain = (call(member, said) for member, said in ours if not re.search("how: |durability: ", member["params"]))
    door = "    def _call(self, name: str, *arguments: object) -> Any:\n        raise NotImplementedError\n"
    return f"class {camel(name)}Calls:\n{told(docs)}\n{door}{''.join(plain)}"


def generated() -> str:
    items, docs, block, members = [HEAD.rstrip("\n")], [], None, []
    for line in "".join((WIT / name).read_text("utf-8") for name in ("onionskin.wit", "workspace.wit")).splitlines():
        line = line.strip()
        found = LINE.fullmatch(line)
        if line.startswith("///"):
            docs.append(line[3:].strip())
        elif not line.startswith("@"):
            if found and found["block"]:
                block = (found, docs)
            elif found and block:
                members.append((found, docs))
            elif line == "}" and block:
                kind, name = block[0]["block"], block[0]["name"]
                if name == "error-kind":
                    items.append(errors(members))
                elif name not in BY_HAND:
                    write = {"record": record, "resource": resource}.get(kind, cases)
                    items.append(write(name, block[1], members))
                block, members = None, []
            docs = []
    return "\n\n\n".join(item.rstrip("\n") for item in items) + "\n"


class Contract(BuildHookInterface[Any]):
    """Runs before the package is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # A source distribution has it already.
        if WIT.is_dir():
            (HERE / "src/onionskin/_contract.py").write_text(generated(), encoding="utf-8")
