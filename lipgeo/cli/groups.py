"""Show the commands in the order of the work, in groups: what ``lipgeo --help`` lists."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from lipgeo.words import say

__all__ = ["GROUPS", "WholeSummaries", "WorkOrder"]

#: the steps of the work and the commands of each, in their order
GROUPS: dict[str, tuple[str, ...]] = {
    "start": ("demo", "census", "find"),
    "areas": ("registry", "template", "compile", "gaps", "check"),
    "boundaries": ("make", "build", "preview", "order", "verify", "diff"),
    "numbers": ("variables", "weight", "compare"),
    "portal": ("portal",),
}
#: options that typer brings, and our words for them
_BROUGHT = ("install_completion", "show_completion")


class WholeSummaries(TyperGroup):
    """A group of commands whose summaries are shown whole, not cut to a line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each section of commands under its head."""
        shown = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        seen = {name: one for name, one in shown.items() if one is not None and not one.hidden}
        width = max(map(len, seen))
        for head, names in self.sections(list(seen)):
            rows = [(name.ljust(width), str(seen[name].help)) for name in names]
            with formatter.section(head):
                formatter.write_dl(rows)

    def sections(self, names: list[str]) -> list[tuple[str, list[str]]]:
        """Return heads and the commands under each."""
        return [(say("cli.commands"), names)]


class WorkOrder(WholeSummaries):
    """The top of the command line: its commands grouped by the steps of the work."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order of the work, those of no group last."""
        there = list(super().list_commands(ctx))
        ordered = [name for names in GROUPS.values() for name in names if name in there]
        return [*ordered, *(name for name in there if name not in ordered)]

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options, those of typer in our words."""
        found: list[Any] = list(super().get_params(ctx))
        for one in found:
            if one.name in _BROUGHT:
                one.help = say(f"cli.opt_{one.name}")
        return found

    def sections(self, names: list[str]) -> list[tuple[str, list[str]]]:
        """Return a section for each step that has commands."""
        found = [
            (say(f"cli.group_{group}"), [name for name in listed if name in names])
            for group, listed in GROUPS.items()
        ]
        return [(head, some) for head, some in found if some]
