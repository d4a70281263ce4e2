"""The tools an agent can be granted, by name."""

from .base import Place, Tool, ToolFailure, ToolOutput
from .command import RUN_COMMAND
from .files import EDIT_FILE, LIST_FILES, READ_FILE, WRITE_FILE
from .report import SHOW_DIFF, WRITE_ARTIFACT
from .search import SEARCH_FILES

TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        READ_FILE, LIST_FILES, SEARCH_FILES, WRITE_FILE, EDIT_FILE, RUN_COMMAND, SHOW_DIFF, WRITE_ARTIFACT,
    )
}  # fmt: skip

__all__ = ["TOOLS", "Place", "Tool", "ToolFailure", "ToolOutput"]
