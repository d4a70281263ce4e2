"""YAML as data and back. What no JSON could say is refused before anything is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from orchestration.schema import InvalidPlan

MAX_DEPTH = 40
DOUBLED = "This field stands twice in one object."
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_SafeDumper):  # type: ignore[misc]
    """Texts of several lines stand as such, so that people can read and edit prompts and commands."""

    def ignore_aliases(self, data: Any) -> bool:
        """What occurs twice is written twice: `read_yaml` takes no anchors."""
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def write_yaml(data: Any) -> str:
    """Data as YAML that reads back as the same data."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


def read_yaml(text: str) -> Any:
    """Raises InvalidPlan."""
    try:
        _check_events(text)
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader, in C where there is one
    except InvalidPlan:
        raise
    except yaml.MarkedYAMLError as error:
        where = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise _fault(f"This is not YAML: {error.problem}{where}.") from None
    except yaml.YAMLError as error:
        raise _fault(f"This is not YAML: {error}.") from None
    except (RecursionError, ValueError, OverflowError):
        raise _fault("This YAML can't be read: it is nested too deeply or holds an impossible value.") from None


@dataclass
class _Open:
    """A mapping or a list whose end has not come yet."""

    path: str
    is_mapping: bool
    keys: set[str] = field(default_factory=set)
    key: str | None = None  # of the value that comes next; None: a key comes next
    index: int = -1

    def place(self, event: Any) -> str:
        """Where the node that begins with this event stands. Raises InvalidPlan for a key that was there before."""
        if not self.is_mapping:
            self.index += 1
            return f"{self.path}[{self.index}]"
        if self.key is not None:
            path, self.key = self._below(self.key), None
            return path
        self.key = str(getattr(event, "value", ""))
        if self.key in self.keys:
            raise _fault(DOUBLED, self._below(self.key[:100]))
        self.keys.add(self.key)
        return self.path

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _check_events(text: str) -> None:
    # Before anything is built: aliases can blow a small text up to gigabytes.
    stack: list[_Open] = []
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _fault("YAML anchors and aliases can't be used in a plan; write the value out.")
        if isinstance(event, yaml.NodeEvent):
            path = stack[-1].place(event) if stack else ""
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append(_Open(path, isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        if len(stack) > MAX_DEPTH:
            raise _fault(f"This is nested deeper than {MAX_DEPTH} levels.")


def _fault(message: str, path: str = "plan") -> InvalidPlan:
    return InvalidPlan([{"path": path, "message": message}])
