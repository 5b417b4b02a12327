"""One request over the network: certificates, proxies, and faults told apart.

The standard library's client is used on purpose: it takes the operating system's certificates, so
it works behind an office proxy that re-signs traffic, where a client with its own list fails.
Proxies come from ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``; more certificates from
``SSL_CERT_FILE``, ``SSL_CERT_DIR`` or ``REQUESTS_CA_BUNDLE``.
"""

from __future__ import annotations

import errno
import http.client
import os
import re
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import certifi

import lipgeo
from lipgeo.errors import DownloadError, LipgeoError

__all__ = ["Answer", "Passing", "ask", "explain", "open_address", "read_answer"]

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
            raise DownloadError("sources.bad_bundle", path=bundle, reason=str(error)) from error
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
            "User-Agent": f"lipgeo/{lipgeo.__version__}",
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
        return DownloadError("sources.certificate", address=address, reason=reason)
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError("sources.disk_full", address=address)
    if isinstance(cause, OSError | http.client.HTTPException):
        return Passing(str(cause) or type(cause).__name__)
    return DownloadError("sources.no_network", address=address, reason=str(cause))


def _explain_status(error: urllib.error.HTTPError, address: str) -> Passing | DownloadError:
    code = error.code
    if code in _LATER:
        after = error.headers.get("Retry-After", "") if error.headers else ""
        return Passing(f"HTTP {code}", float(after) if after.isdigit() else 0.0)
    if code in (404, 410):
        return DownloadError("sources.not_found", address=address, code=code)
    if code == 407:
        return DownloadError("sources.proxy_password", address=address)
    return DownloadError("sources.refused", address=address, code=code, reason=str(error.reason))


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
        if error.key not in ("sources.refused", "sources.not_found"):
            raise
    with open_address(address, headers={"Range": "bytes=0-0"}, timeout=timeout) as response:
        return read_answer(response)
