"""Run the command line: parse, call the library, report; no geography in it."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lipgeo import words
from lipgeo.errors import LipgeoError, OutputError

__all__ = ["main", "run_and_exit"]

#: a wrong call or wrong input, as the contract has it (0 done, 1 done with findings)
_WRONG = 2
_INTERRUPTED = 130


def _speak(arguments: Sequence[str]) -> None:
    """Set the language before any sentence is made: help texts are sentences too."""
    asked = [os.environ.get("LIPGEO_LANG", "")]
    for at, word in enumerate(arguments):
        if word == "--lang":
            asked += arguments[at + 1 : at + 2]
        elif word.startswith("--lang="):
            asked.append(word.removeprefix("--lang="))
    # one that is no language is refused in the one before it
    known = [lang for one in asked for lang in words.LANGUAGES if one.lower().startswith(lang)]
    words.use(known[-1] if known else "en")


def _survive_code_pages() -> None:
    """Let output through a pipe or file whose code page lacks a character (Windows: cp1252)."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


class _Output(io.FileIO):
    """Standard output that says in a sentence why it cannot be written."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EINVAL):  # whoever read has gone (Windows: 22)
                raise
            reason = error.strerror or str(error)
            raise OutputError("cli.cannot_print", reason=reason) from error


def _say_why_output_fails() -> None:
    """Put a stream that says why it fails in the place of standard output, but of a terminal."""
    with suppress(OSError, ValueError, AttributeError):
        if not sys.stdout.isatty():
            held = io.BufferedWriter(_Output(sys.stdout.fileno(), "w", closefd=False))
            sys.stdout = io.TextIOWrapper(held, encoding=sys.stdout.encoding)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 done with findings, 2 wrong call or input."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _survive_code_pages()
    _speak(given)
    from lipgeo.cli import usage
    from lipgeo.cli.app import app

    try:
        with words.on_command_line():
            status = app(args=given, prog_name="lipgeo", standalone_mode=False)
        raise SystemExit(status if isinstance(status, int) else 0)
    except usage.ClickException as error:
        print(usage.explain(error), file=sys.stderr)
        raise SystemExit(_WRONG) from None
    except LipgeoError as error:
        if os.environ.get("LIPGEO_TRACEBACK"):
            raise
        print(words.say("cli.error", message=error), file=sys.stderr)
        raise SystemExit(_WRONG) from None
    except (KeyboardInterrupt, usage.Abort):
        print(words.say("cli.interrupted"), file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None
    except BrokenPipeError:  # `lipgeo find ... | head`
        sys.stderr.close()
        raise SystemExit(0) from None
    except OSError as error:  # a name too long, a folder one may not enter: any door, any command
        if os.environ.get("LIPGEO_TRACEBACK"):
            raise
        reason = words.say(
            "cli.os_error", path=error.filename or "-", reason=error.strerror or str(error)
        )
        print(words.say("cli.error", message=reason), file=sys.stderr)
        raise SystemExit(_WRONG) from None


def run_and_exit() -> None:
    """Run the command line as a process of its own: what the commands ``lipgeo`` and ``-m`` call.

    The exit status is a promise to scripts. After an early error a native thread of the readers
    can still be joinable when Python lets go of it, and the process then aborts with 134 in place
    of 2: so the process ends at once when all is said, without tearing down what it loaded.
    """
    status: object = 0
    _say_why_output_fails()
    try:
        main()
    except SystemExit as ended:
        status = ended.code
    if isinstance(status, str):
        print(status, file=sys.stderr)
    try:
        sys.stdout.flush()
    except OutputError as error:
        if status != _WRONG:  # else it was said already
            print(words.say("cli.error", message=error), file=sys.stderr)
            status = _WRONG
    except (OSError, ValueError, AttributeError):  # a closed pipe has nobody to tell
        pass
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))
