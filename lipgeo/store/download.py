"""Download published files, resumed where they broke off, proven before they count.

The standard library's client is used on purpose: it takes the operating system's certificates, so
it works behind an office proxy that re-signs traffic, where a client with its own list fails.
Proxies come from ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``; more certificates from
``SSL_CERT_FILE``, ``SSL_CERT_DIR`` or ``REQUESTS_CA_BUNDLE``. Faults that may pass are tried again;
others are told apart and told.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Literal

import certifi

from lipgeo._version import __version__
from lipgeo.errors import DownloadError, LipgeoError
from lipgeo.files import sha256_of
from lipgeo.store.catalogue import NeededFile
from lipgeo.words import say

__all__ = [
    "Answer",
    "Fetched",
    "Passing",
    "Patience",
    "ask",
    "explain",
    "fetch",
    "open_address",
    "read_answer",
]

#: answers worth another try: too many requests, and a server that cannot just now
_LATER = (408, 425, 429, 500, 502, 503, 504)


class Passing(Exception):  # noqa: N818 - a condition, not a fault the caller sees
    """A fault that may pass: try again.

    Parameters
    ----------
    reason
        What happened.
    after
        Seconds the server asks to wait, 0 where it says nothing.
    """

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True)
class Answer:
    """What a server says of a file before it is read.

    Attributes
    ----------
    size
        Bytes of the whole file, ``None`` where it does not say.
    validator
        Its strong ``ETag``, else its date; empty where neither: then it cannot be resumed.
    start
        First byte of what follows: 0 for the whole.
    kind
        ``Content-Type``, small letters.
    """

    size: int | None
    validator: str
    start: int
    kind: str


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()  # also reads SSL_CERT_FILE and SSL_CERT_DIR
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if bundle:
        try:
            place = Path(bundle)
            context.load_verify_locations(
                cafile=None if place.is_dir() else bundle, capath=bundle if place.is_dir() else None
            )
        except (OSError, ssl.SSLError) as error:
            raise DownloadError("store.bad_bundle", path=bundle, reason=str(error)) from error
    elif not context.cert_store_stats()["x509_ca"]:  # a Python without any (macOS installer)
        context.load_verify_locations(cafile=certifi.where())
    return context


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects as asked: HEAD stays HEAD, and https never turns into http."""

    def redirect_request(  # noqa: PLR0917 - the signature is the standard library's
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.type == "https" and newurl.startswith("http:"):
            raise urllib.error.HTTPError(req.full_url, code, f"-> {newurl}", headers, fp)
        again = super().redirect_request(req, fp, code, msg, headers, newurl)
        if again is not None:
            again.method = req.get_method()
        return again


def open_address(
    address: str,
    *,
    method: Literal["GET", "HEAD"] = "GET",
    headers: dict[str, str] | None = None,
    timeout: float = 30.0,
) -> http.client.HTTPResponse:
    """Open an address.

    Raises
    ------
    Passing
        A fault that may pass.
    DownloadError
        One that will not: not found, not allowed, a certificate refused.
    """
    request = urllib.request.Request(
        address,
        method=method,
        headers={
            "User-Agent": f"lipgeo/{__version__}",
            "Accept-Encoding": "identity",  # lengths must be those of the file
            **(headers or {}),
        },
    )
    try:
        handlers: list[urllib.request.BaseHandler] = [_Redirects()]
        if address.startswith("https:"):  # reading the system's certificates takes a while
            handlers.append(urllib.request.HTTPSHandler(context=_context()))
        opener = urllib.request.build_opener(*handlers)
        response: http.client.HTTPResponse = opener.open(request, timeout=timeout)
    except LipgeoError:
        raise
    except Exception as error:
        raise explain(error, address) from error
    return response


def explain(error: Exception, address: str) -> Passing | DownloadError:
    """Turn what went wrong into a fault that may pass, or a sentence for the user."""
    if isinstance(error, urllib.error.HTTPError):
        return _explain_status(error, address)
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = cause.verify_message or str(cause)
        return DownloadError("store.certificate", address=address, reason=reason)
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError("store.disk_full", address=address)
    if isinstance(cause, OSError | http.client.HTTPException):
        return Passing(str(cause) or type(cause).__name__)
    return DownloadError("store.no_network", address=address, reason=str(cause))


def _explain_status(error: urllib.error.HTTPError, address: str) -> Passing | DownloadError:
    code = error.code
    if code in _LATER:
        after = error.headers.get("Retry-After", "") if error.headers else ""
        return Passing(f"HTTP {code}", float(after) if after.isdigit() else 0.0)
    if code in (404, 410):
        return DownloadError("store.not_found", address=address, code=code)
    if code == 407:
        return DownloadError("store.proxy_password", address=address)
    return DownloadError("store.refused", address=address, code=code, reason=str(error.reason))


def read_answer(response: http.client.HTTPResponse) -> Answer:
    """Read what the headers say."""
    head = response.headers
    length = head.get("Content-Length", "")
    size, start = (int(length) if length.isdigit() else None), 0
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", head.get("Content-Range", "").strip())
    if response.status == 206 and span is not None:
        start = int(span.group(1))
        size = int(span.group(2)) if span.group(2) != "*" else None
    tag = head.get("ETag", "").strip()
    # a weak tag promises the same meaning, not the same bytes
    validator = tag if tag and not tag.startswith("W/") else head.get("Last-Modified", "")
    return Answer(size, validator, start, head.get("Content-Type", "").lower())


def ask(address: str, *, timeout: float = 30.0) -> Answer:
    """Ask how large a file is without reading it.

    Some of Statistics Canada's addresses answer ``HEAD`` with an endless redirect: then the first
    byte is asked for.

    Raises
    ------
    Passing, DownloadError
        As :func:`open_address`.
    """
    try:
        with open_address(address, method="HEAD", timeout=timeout) as response:
            found = read_answer(response)
        if found.size is not None:
            return found
    except DownloadError as error:
        if error.key not in ("store.refused", "store.not_found"):
            raise
    with open_address(address, headers={"Range": "bytes=0-0"}, timeout=timeout) as response:
        return read_answer(response)


_CHUNK = 1 << 18
_MARGIN = 50_000_000  # bytes a disk keeps free beyond the files
#: asked total may differ from the one in the table by this much before it is a different file
_LIE = 1.05


@dataclass(frozen=True)
class Fetched:
    """A file that was asked for and is there.

    Attributes
    ----------
    path
        Where it is.
    needed
        What it was needed for.
    size_bytes, sha256
        What it is, to the byte.
    """

    path: Path
    needed: NeededFile
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Patience:
    """How long to keep trying.

    Attributes
    ----------
    timeout
        Seconds without a byte before a connection counts as stalled.
    tries
        Faults in a row, without a byte in between, before giving up.
    first_wait
        Seconds before the second try; each further wait is twice as long, at most a minute.
    """

    timeout: float = 30.0
    tries: int = 5
    first_wait: float = 1.0

    def wait(self, fault: int, asked: float) -> None:
        """Wait after the ``fault``-th fault in a row (from 1), or as long as the server asks."""
        time.sleep(min(60.0, max(asked, self.first_wait * 2 ** (fault - 1))))


def fetch(
    needed: Sequence[NeededFile],
    folder: str | Path,
    *,
    confirm: Callable[[Sequence[tuple[NeededFile, int | None]]], bool],
    progress: Callable[[str, int, int], None] | None = None,
    checksums: Mapping[str, str] | None = None,
    patience: Patience | None = None,
) -> list[Fetched]:
    """Download published files into a folder.

    Every server is first asked for its file's size, ``confirm`` decides once on all of it, and only
    then is anything read. A file is written beside its place as ``NAME.part`` and moved there when
    it is whole; a later call resumes it where it broke off, if the server still has the same file.

    Parameters
    ----------
    needed
        What :func:`~lipgeo.store.catalogue.need` returned.
    folder
        Where to put the files; made if absent.
    confirm
        Called with each file still to come and its bytes (``None`` where the server does not say);
        false leaves everything as it is.
    progress
        Called with a sentence, bytes done and bytes in all (0 where not known).
    checksums
        SHA-256 by file name, where known.
    patience
        Time limits and number of tries.

    Returns
    -------
    list of Fetched
        In the order asked, also those that were there already; empty when ``confirm`` said no.

    Raises
    ------
    DownloadError
        No address, no network, not found, refused, a certificate not trusted, too many faults in a
        row, a web page instead of the file, damage, another size or checksum than promised, no
        room on the disk. What came so far is kept for the next call unless it is not the file.
    """
    patience = patience or Patience()
    target = Path(folder)
    missing = [one.file.name for one in needed if not one.address]
    if missing:
        raise DownloadError("store.no_address", names=missing)
    there = {one.file.name: _already(target / one.file.name) for one in needed}
    coming = [one for one in needed if there[one.file.name] is None]
    asked = {
        one.file.name: _patient(
            partial(ask, one.address, timeout=patience.timeout), one.address, patience
        )
        for one in coming
    }
    if coming and not confirm([(one, asked[one.file.name].size) for one in coming]):
        return []
    if coming:
        _room(target, coming, asked)
    sums = checksums or {}
    found = []
    for one in needed:
        path = target / one.file.name
        if one in coming:
            _Download(one, path, asked[one.file.name], patience, progress).run(
                sums.get(one.file.name)
            )
        digest = sha256_of(path)
        found.append(Fetched(path, one, path.stat().st_size, digest))
    return found


def _patient(call: Callable[[], Answer], address: str, patience: Patience) -> Answer:
    for fault in range(1, patience.tries + 1):
        try:
            return call()
        except Passing as passing:
            if fault == patience.tries:
                raise DownloadError(
                    "store.no_answer", address=address, tries=fault, reason=str(passing)
                ) from passing
            patience.wait(fault, passing.after)
    raise AssertionError("unreachable")


def _already(path: Path) -> int | None:
    """Bytes of a whole file that is there already, ``None`` where it must be fetched."""
    if not path.is_file():
        return None
    if path.suffix.lower() == ".zip" and _damage(path) is not None:
        return None
    return path.stat().st_size


def _room(folder: Path, coming: Iterable[NeededFile], asked: Mapping[str, Answer]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = error.strerror or str(error)
        raise DownloadError("store.folder", path=folder, reason=reason) from error
    total = 0
    for one in coming:
        part = _part(folder / one.file.name)
        begun = part.stat().st_size if part.exists() else 0
        total += max(0, (asked[one.file.name].size or 0) - begun)
    if total and total + _MARGIN > free:
        raise DownloadError(
            "store.no_room", path=folder, needed=(total + _MARGIN) / 1e6, free=free / 1e6
        )


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


class _Download:
    """One file on its way."""

    def __init__(
        self,
        needed: NeededFile,
        path: Path,
        asked: Answer,
        patience: Patience,
        progress: Callable[[str, int, int], None] | None,
    ) -> None:
        self.needed = needed
        self.path = path
        self.part = _part(path)
        self.note = path.with_name(path.name + ".part.json")
        self.asked = asked
        self.patience = patience
        self.progress = progress
        self.address = needed.address
        self.name = needed.file.name

    def run(self, checksum: str | None) -> None:
        """Read until the file is whole, prove it, and move it into place."""
        faults, furthest = 0, self._done()
        while True:
            try:
                self._read()
                break
            except Passing as passing:
                # only new ground counts: a server that lies about its length would go in circles
                faults = 1 if self._done() > furthest else faults + 1
                furthest = max(furthest, self._done())
                if faults >= self.patience.tries:
                    raise DownloadError(
                        "store.gave_up",
                        address=self.address,
                        tries=faults,
                        reason=str(passing),
                        done=self._done() / 1e6,
                    ) from passing
                self.patience.wait(faults, passing.after)
        self._prove(checksum)
        try:
            self.part.replace(self.path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise DownloadError("store.folder", path=self.path, reason=reason) from error
        with suppress(OSError):
            self.note.unlink()

    def _done(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _resume_from(self) -> tuple[int, str]:
        """Bytes that may be built on, and what proves that they are of the same file."""
        done = self._done()
        if not done:
            return 0, ""
        try:
            note = json.loads(self.note.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return 0, ""
        validator = str(note.get("validator", ""))
        if note.get("address") != self.address or not validator:
            return 0, ""
        return done, validator

    def _read(self) -> None:
        done, validator = self._resume_from()
        if self.asked.size is not None and done > self.asked.size:
            done, validator = 0, ""
        if done and done == self.asked.size and validator == self.asked.validator:
            return  # whole, and stopped before it was moved
        headers = {"Range": f"bytes={done}-", "If-Range": validator} if done else {}
        try:
            response = open_address(self.address, headers=headers, timeout=self.patience.timeout)
        except DownloadError as error:
            if error.values.get("code") != 416 or not done:
                raise
            self.part.unlink()  # the server's file is shorter now
            raise Passing("HTTP 416") from error
        with response:
            answer = read_answer(response)
            if done and response.status != 206:
                done = 0  # the server ignores ranges, or has another file now
            elif done and answer.start != done:
                self.part.unlink()
                raise Passing("Content-Range")
            self._check_promise(answer)
            self._write(response, answer, done)

    def _check_promise(self, answer: Answer) -> None:
        """Hold the size against the one confirmed."""
        if None in (answer.size, self.asked.size) or answer.size == self.asked.size:
            return
        assert answer.size is not None
        assert self.asked.size is not None
        if "html" in answer.kind or answer.size <= self.asked.size * _LIE:
            return
        self._discard()
        raise DownloadError(
            "store.other_size",
            address=self.address,
            asked=self.asked.size / 1e6,
            came=answer.size / 1e6,
        )

    def _write(self, response: http.client.HTTPResponse, answer: Answer, done: int) -> None:
        self._remember(answer)
        try:
            with self.part.open("r+b" if done else "wb") as stream:
                stream.seek(done)
                stream.truncate()
                while chunk := self._chunk(response):
                    if not done:
                        self._refuse_page(chunk, answer)
                    stream.write(chunk)
                    done += len(chunk)
                    self._report_progress(done, answer)
        except DownloadError:  # itself an OSError
            raise
        except OSError as error:
            found = explain(error, self.address)
            if isinstance(found, DownloadError):
                raise found from error
            reason = error.strerror or str(error)
            raise DownloadError("store.folder", path=self.part, reason=reason) from error
        if answer.size is not None and done < answer.size:
            raise Passing(say("store.broke_off", done=done / 1e6, size=answer.size / 1e6))

    def _chunk(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(_CHUNK)
        except http.client.IncompleteRead as error:
            raise Passing(str(error)) from error
        except Exception as error:
            # a fault of the network, told apart from a fault of the disk
            raise explain(error, self.address) from error

    def _report_progress(self, done: int, answer: Answer) -> None:
        if self.progress is not None:
            sentence = say("store.downloading", name=self.name)
            self.progress(sentence, done, answer.size or self.asked.size or 0)

    def _remember(self, answer: Answer) -> None:
        text = json.dumps({"address": self.address, "validator": answer.validator})
        try:
            self.note.write_text(text, encoding="utf-8")
        except OSError as error:
            reason = error.strerror or str(error)
            raise DownloadError("store.folder", path=self.note, reason=reason) from error

    def _refuse_page(self, chunk: bytes, answer: Answer) -> None:
        """Refuse a web page that comes with status 200 instead of the file."""
        text = chunk.lstrip(b"\xef\xbb\xbf \r\n\t")[:1024].lower()
        page = text.startswith((b"<!doctype", b"<html", b"<head", b"<script", b"<?xml"))
        zipped = self.name.lower().endswith(".zip")
        if not page and not (zipped and "html" in answer.kind and chunk[:2] != b"PK"):
            return
        title = re.search(rb"<title[^>]*>(.*?)</title>", chunk, re.IGNORECASE | re.DOTALL)
        words = " ".join(
            (title.group(1) if title else text[:80]).decode("utf-8", "replace").split()
        )
        self._discard()
        raise DownloadError("store.page_instead", address=self.address, name=self.name, title=words)

    def _discard(self) -> None:
        for leftover in (self.part, self.note):
            with suppress(OSError):
                leftover.unlink()

    def _prove(self, checksum: str | None) -> None:
        """Hold the file against its checksum, or at least against its own."""
        if checksum is not None:
            came = sha256_of(self.part)
            if came != checksum.lower():
                self._discard()
                raise DownloadError(
                    "store.checksum", address=self.address, wanted=checksum, came=came
                )
        if self.name.lower().endswith(".zip"):
            damage = _damage(self.part)
            if damage is not None:
                self._discard()
                raise DownloadError("store.download.damaged", address=self.address, reason=damage)


def _damage(path: Path) -> str | None:
    """Say what is wrong with a zip, ``None`` when every member is whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except Exception as error:  # zlib, struct and zip errors: whatever it is, it is no whole zip
        return str(error)
    return None if bad is None else bad
