"""Say the words that typer brings to help and to a wrong call in the language in force.

Typer says them in English: the headings of help, ``[required]``, and what is wrong with a call.
What it says of a call is known by its form; a form that is not known is shown as it came.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from lipgeo.words import say

__all__ = ["Abort", "ClickException", "ask", "explain", "speak_help"]

#: the errors of a wrong call: typer may bring its own click, so they are found from what it exports
ClickException: type[Exception] = next(
    one for one in typer.BadParameter.__mro__ if one.__name__ == "ClickException"
)

Abort = typer.Abort

#: what typer says of a wrong call, and the sentence for it
_FORMS: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(form), key)
    for form, key in (
        (r"No such option: (?P<given>\S+).*options?: (?P<near>[^)]*)\)?", "usage.option_near"),
        (r"No such option: (?P<given>\S+) \(?Did you mean (?P<near>[^?)]*)", "usage.option_near"),
        (r"No such option: (?P<given>\S+)", "usage.option"),
        (r"No such command '(?P<given>.*?)'.*Did you mean (?P<near>.*)\?", "usage.command_near"),
        (r"No such command '(?P<given>.*?)'", "usage.command"),
        (r"Missing command", "usage.no_command"),
        (r"Missing argument '?(?P<name>[^'.]*)'?", "usage.no_argument"),
        (r"Missing (?:option|parameter) '?(?P<name>[^'.]*)'?", "usage.no_option"),
        (r"Got unexpected extra arguments?(?:\(s\))? \((?P<given>.*)\)", "usage.too_much"),
        (r"Option '(?P<name>[^']*)' requires", "usage.needs_value"),
        (r"Option '(?P<name>[^']*)' does not take", "usage.takes_no_value"),
        (r"Invalid value for (?P<name>.*?): .*?'(?P<given>.*)' is not one of (?P<known>.*?)\.?$",
         "usage.choice"),
        (r"Invalid value for (?P<name>.*?): .*(?:less|smaller) than or equal to (?P<limit>\S+)",
         "usage.at_most"),
        (r"Invalid value for (?P<name>.*?): .*greater than or equal to (?P<limit>\S+)",
         "usage.at_least"),
        (r"Invalid value for (?P<name>.*?): .* is not in the range (?P<range>.*?)\.?$",
         "usage.in_range"),
        (r"Invalid value for (?P<name>.*?): .*valid integer", "usage.integer"),
        (r"Invalid value for (?P<name>.*?): .*(?:valid number|valid float)", "usage.number"),
        (r"Invalid value for (?P<name>.*?): (?:Value error, )?(?P<reason>.*)", "usage.wrong"),
    )
]  # fmt: skip
#: what it says of the variable of the environment that an option has
_BROUGHT_BY = re.compile(r" \(env var: '(\w+)'\)")


def explain(error: Any) -> str:
    """Return what is wrong with a call: how it is used, and the fault, in the language in force."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help
        return str(error.format_message())
    # a variable of the environment may have brought the value
    message = _BROUGHT_BY.sub(r" (\1)", error.format_message())
    said = message
    for form, key in _FORMS:
        found = form.match(message)
        if found:
            # options and commands are shown as they are typed
            said = say(key, **{name: text.replace("'", "") for name, text in
                               found.groupdict().items()})  # fmt: skip
            break
    context = getattr(error, "ctx", None)
    fault = say("cli.error", message=said)
    if context is None:
        return fault
    more = say("usage.more", command=f"{context.command_path} --help")
    return f"{context.get_usage()}\n{more}\n\n{fault}"


#: what help says in brackets after an option, and our words for it
_BRACKETS = re.compile(r"\[(?:env var: [^\]]*|default: [^\]]*|required|[^\]]*; required)\]$")
#: what it says stands for a value of a type
_TYPES = {"<int>": "N", "<float>": "N", "<str>": "TEXT", "<path>": "PATH"}


def _in_brackets(found: re.Match[str]) -> str:
    text = (
        found[0].replace("env var: ", say("usage.env")).replace("default: ", say("usage.default"))
    )
    return re.sub(r"\brequired\b", say("usage.required"), text)


def _value(text: str) -> str:
    if not text.startswith("-"):  # an argument has its name for a value
        return re.sub(r" <\w+>$", "", text)
    for brought, shown in _TYPES.items():
        text = text.replace(brought, say("usage.text") if shown == "TEXT" else shown)
    return text


def _formatter(brought: type[Any]) -> type[Any]:
    """Return the writer of help pages, its words in the language in force."""

    class Formatter(brought):  # type: ignore[misc]
        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            shown = re.sub(r"\{([A-Z_.]+)\}", r"\1", args)
            shown = shown.replace("[OPTIONS]", say("usage.options_here"))
            shown = shown.replace("COMMAND [ARGS]", say("usage.command_here"))
            super().write_usage(prog, shown, say("usage.usage") + " " if prefix is None else prefix)

        def write_heading(self, heading: str) -> None:
            known = {"Options": "usage.options", "Arguments": "usage.arguments",
                     "Commands": "cli.commands"}  # fmt: skip
            name = say(known[heading]) if heading in known else heading
            self.write(f"{'':>{self.current_indent}}{say('usage.heading', name=name)}\n")

        def write_dl(self, rows: Any, *further: Any, **named: Any) -> None:
            shown = []
            for first, second in rows:
                ours = say("usage.help") if second == "Show this message and exit." else second
                shown.append((_value(first), _BRACKETS.sub(_in_brackets, ours)))
            super().write_dl(shown, *further, **named)

    return Formatter


def speak_help() -> None:
    """Let every help page of this process be written in the language in force."""
    context = TyperGroup.context_class
    if not context.formatter_class.__module__.startswith(__name__):
        context.formatter_class = _formatter(context.formatter_class)


def ask(question: str) -> bool:
    """Ask on stderr for a yes or no; anything but a yes, and nobody there, is a no."""
    print(say("usage.ask", question=question), end=" ", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes", "o", "oui")
