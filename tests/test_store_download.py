"""Downloads against a local server that breaks off, stalls, lies and serves error pages."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import random
import shutil
import ssl
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_readers_tables import ONE, profile_2021

from lipgeo.cli import main
from lipgeo.errors import DownloadError
from lipgeo.store.catalogue import NeededFile, boundary_file, facts
from lipgeo.store.download import Patience, fetch
from lipgeo.store.tables.opening import describe_tables
from lipgeo.words import speaking

NAME = "lda_000b21a_e.zip"
QUICK = Patience(timeout=0.4, tries=3, first_wait=0.01)

#: a certificate for 127.0.0.1 made for these tests alone; it opens nothing else
KEY_AND_CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaECNdcmZXyZH9ze4
03TODCXFTxH1ENOOX10zrYtKzHWhRANCAATVII+twAPR9F0lNYW11+VbgDsz7dkB
TvnRu7CjATDQlrUSSqjRYLgbDEu3rR4kf72IUvQHvwbvMwxJkW0WBI5X
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBojCCAUegAwIBAgIUIFPuLftB7ytkPFhF/Wf9tRdCA6kwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMbGlwZ2VvIHRlc3RzMCAXDTI2MTEyMjA0MzEzN1oYDzIxMjYx
MDI5MDQzMTM3WjAXMRUwEwYDVQQDDAxsaXBnZW8gdGVzdHMwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAATVII+twAPR9F0lNYW11+VbgDsz7dkBTvnRu7CjATDQlrUS
SqjRYLgbDEu3rR4kf72IUvQHvwbvMwxJkW0WBI5Xo28wbTAdBgNVHQ4EFgQU3/Zc
t2Se7tCvK2KGIM2jdcdZePMwHwYDVR0jBBgwFoAU3/Zct2Se7tCvK2KGIM2jdcdZ
ePMwGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxob3N0MA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSQAwRgIhALi+Y8kg+C9yOPPksvTrv0gkGI0TTealBONL+W2x
PLQCAiEAy52i6NEHFCO5vSSLcf0YDhpbnKhOvYBzeNQZiGAxKdg=
-----END CERTIFICATE-----
"""


def made_zip(size: int = 900_000) -> bytes:
    """Make a zip of about ``size`` bytes, its member not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        body = bytes(at * 7 % 251 for at in range(1000)) * (size // 1000)
        archive.writestr("lda_000b21a_e.dbf", body)
    return buffer.getvalue()


@dataclass
class Moods:
    """How the server behaves; lists are used up, one entry a GET."""

    data: bytes = field(default_factory=made_zip)
    etag: str = '"one"'
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)  # bytes sent before it closes
    stalls: list[int] = field(default_factory=list)  # bytes sent before it goes silent
    statuses: list[int] = field(default_factory=list)  # answers before the file comes
    page: bytes = b""  # sent with status 200 instead of the file
    head: str = "ok"  # ok, loop, refused, silent
    said: int | None = None  # length that HEAD tells
    promised: int | None = None  # length that GET tells
    chunked: bool = False
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    @property
    def gets(self) -> list[str]:
        """Ranges asked for by each GET, empty for the whole."""
        return [head.get("range", "") for method, _, head in self.seen if method == "GET"]


class Handler(BaseHTTPRequestHandler):
    """Serves what ``server.moods`` says."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_):
        """Stay silent."""

    def _note(self) -> Moods:
        moods = self.server.moods
        head = {key.lower(): value for key, value in self.headers.items()}
        moods.seen.append((self.command, self.path, head))
        return moods

    def _end(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def do_HEAD(self):
        """Answer as the mood is."""
        moods = self._note()
        if moods.head == "loop":
            return self._end(302, {"Location": self.path, "Content-Length": "0"})
        if moods.head == "refused":
            return self._end(405, {"Content-Length": "0"})
        headers = {"Content-Type": "application/zip"}
        if moods.head != "silent":
            headers["Content-Length"] = str(moods.said or len(moods.data))
        return self._end(200, headers | ({"ETag": moods.etag} if moods.etag else {}))

    def do_GET(self):
        """Send the file, or what the mood makes of it."""
        moods = self._note()
        if moods.statuses:
            return self._end(moods.statuses.pop(0), {"Content-Length": "0", "Retry-After": "0"})
        if moods.page:
            length = {"Content-Length": str(len(moods.page))}
            self._end(200, length | {"Content-Type": "text/html; charset=utf-8"})
            return self.wfile.write(moods.page)
        asked = self.headers.get("Range", "")
        same = self.headers.get("If-Range", moods.etag) == moods.etag
        start, end = 0, len(moods.data)
        headers = {"Content-Type": "application/zip"} | ({"ETag": moods.etag} if moods.etag else {})
        if asked and moods.ranges and same:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) + 1 if last else end
            if start >= len(moods.data):
                return self._end(416, {"Content-Length": "0"})
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(moods.data)}"
        body = moods.data[start:end]
        if moods.chunked:
            self._end(200, headers | {"Transfer-Encoding": "chunked"})
            return self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        status = 206 if "Content-Range" in headers else 200
        length = moods.promised if moods.promised is not None and status == 200 else len(body)
        self._end(status, headers | {"Content-Length": str(length)})
        if asked == "bytes=0-0":
            return self.wfile.write(body)
        if moods.breaks:
            return self.wfile.write(body[: moods.breaks.pop(0)])
        if moods.stalls:
            self.wfile.write(body[: moods.stalls.pop(0)])
            self.wfile.flush()
            return time.sleep(1.0)
        return self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A server with moods."""

    daemon_threads = True
    moods: Moods

    def handle_error(self, *_):
        """Stay silent: a client that hangs up is part of the play."""


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """Serve on this machine, no proxy between."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    found = Server(("127.0.0.1", 0), Handler)
    found.moods = Moods()
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def wanted(server: Server, scheme: str = "http", name: str = NAME) -> NeededFile:
    """Return what a job would ask for, at the local server."""
    address = f"{scheme}://127.0.0.1:{server.server_port}/{name}"
    return NeededFile(replace(boundary_file("DA", 2021), name=name), address, None, "")


def get(server: Server, folder: Path, **options):
    """Fetch the one file; says yes unless told otherwise."""
    options = {"confirm": lambda _: True, "patience": QUICK} | options
    return fetch([wanted(server)], folder, **options)


def leftovers(folder: Path) -> list[str]:
    """Names in a folder beside the file."""
    return sorted(path.name for path in folder.iterdir() if path.name != NAME)


def test_a_file_is_fetched_whole(server, tmp_path):
    """The size is confirmed before anything is read, progress reaches the end, nothing is left."""
    asked, told = [], []

    def confirm(files):
        asked.extend(size for _, size in files)
        assert not server.moods.gets
        return True

    found = get(
        server,
        tmp_path / "new folder é #1",
        confirm=confirm,
        progress=lambda *step: told.append(step),
    )
    data = server.moods.data
    assert asked == [len(data)]
    assert found[0].path.read_bytes() == data
    assert found[0].sha256 == hashlib.sha256(data).hexdigest()
    assert found[0].size_bytes == len(data)
    assert told[-1] == (f"Downloading {NAME}", len(data), len(data))
    assert [step[1] for step in told] == sorted(step[1] for step in told)
    assert leftovers(found[0].path.parent) == []


def test_no_means_nothing_is_read(server, tmp_path):
    """A refusal leaves the folder as it is and no GET in the server's book."""
    assert get(server, tmp_path, confirm=lambda _: False) == []
    assert server.moods.gets == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    """A whole file is left alone, unasked; a damaged one is replaced."""
    path = tmp_path / NAME
    path.write_bytes(server.moods.data)
    found = get(server, tmp_path, confirm=lambda _: pytest.fail("nothing to confirm"))
    assert found[0].path == path
    assert server.moods.seen == []
    path.write_bytes(server.moods.data[:-100])
    assert get(server, tmp_path)[0].path == path
    assert path.read_bytes() == server.moods.data


def test_a_broken_connection_is_resumed_where_it_broke(server, tmp_path):
    """Each break costs one more request for the rest only, under If-Range."""
    server.moods.breaks = [300_000, 200_000]
    get(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == server.moods.data
    assert server.moods.gets == ["", "bytes=300000-", "bytes=500000-"]
    assert server.moods.seen[-1][2]["if-range"] == '"one"'


@pytest.mark.parametrize("seed", range(6))
def test_any_breaks_give_the_same_bytes(server, tmp_path, seed):
    """Wherever and however often it breaks, with or without ranges, the file is the server's."""
    chance = random.Random(seed)
    server.moods.ranges = seed % 3 > 0
    cuts = sorted(chance.sample(range(1, 900_000), 5))
    server.moods.breaks = [
        cut - before if server.moods.ranges else cut
        for before, cut in zip([0, *cuts], cuts, strict=False)
    ]
    get(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == server.moods.data
    assert len(server.moods.gets) == 6


def test_a_stall_is_cut_and_resumed(server, tmp_path):
    """Silence beyond the time limit counts as a break."""
    server.moods.stalls = [250_000]
    began = time.monotonic()
    get(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == server.moods.data
    assert server.moods.gets == ["", "bytes=250000-"]
    assert time.monotonic() - began < 5


def test_a_later_call_goes_on(server, tmp_path):
    """After giving up, what came is kept, said, and built on by the next call."""
    server.moods.breaks = [400_000, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"3 faults in a row.*first 0\.4 MB are kept"):
        get(server, tmp_path)
    assert leftovers(tmp_path) == [f"{NAME}.part", f"{NAME}.part.json"]
    server.moods.breaks = []
    server.moods.seen.clear()
    get(server, tmp_path)
    assert server.moods.gets == ["bytes=400000-"]
    assert (tmp_path / NAME).read_bytes() == server.moods.data
    assert leftovers(tmp_path) == []


def test_a_replaced_file_is_never_joined_to_the_old(server, tmp_path):
    """When the server has another file than the one begun, it is read from the start."""
    server.moods.breaks = [400_000, 0, 0, 0]
    with pytest.raises(DownloadError, match="kept breaking off"):
        get(server, tmp_path)
    server.moods.breaks = []
    server.moods.data, server.moods.etag = made_zip(700_000), '"two"'
    get(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == server.moods.data


def test_a_server_that_ignores_ranges_restarts(server, tmp_path):
    """Status 200 to a range means the whole file again: it replaces what came."""
    server.moods.ranges = False
    server.moods.breaks = [300_000]
    get(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == server.moods.data
    assert server.moods.gets == ["", "bytes=300000-"]


def test_without_a_validator_nothing_is_joined(server, tmp_path):
    """A server that gives neither ETag nor date gives no proof that the rest fits."""
    server.moods.etag = ""
    server.moods.breaks = [300_000]
    get(server, tmp_path)
    assert server.moods.gets == ["", ""]
    assert (tmp_path / NAME).read_bytes() == server.moods.data


def test_a_part_of_another_address_is_not_built_on(server, tmp_path):
    """A leftover under the same name from elsewhere is written over."""
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * 1000)
    note = {"address": "http://elsewhere/", "validator": '"one"'}
    (tmp_path / f"{NAME}.part.json").write_text(json.dumps(note))
    get(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == server.moods.data


def test_a_whole_part_is_only_moved(server, tmp_path):
    """A call stopped between the last byte and the move needs no byte again."""
    (tmp_path / f"{NAME}.part").write_bytes(server.moods.data)
    note = {"address": wanted(server).address, "validator": '"one"'}
    (tmp_path / f"{NAME}.part.json").write_text(json.dumps(note))
    get(server, tmp_path)
    assert server.moods.gets == []
    assert (tmp_path / NAME).read_bytes() == server.moods.data


def test_a_length_too_long_ends(server, tmp_path):
    """A server that promises more than it has is not waited for for ever."""
    server.moods.said = server.moods.promised = len(server.moods.data) + 5000
    for ranges in (True, False):
        server.moods.ranges = ranges
        with pytest.raises(DownloadError, match="kept breaking off"):
            get(server, tmp_path)
        assert not (tmp_path / NAME).exists()


def test_a_length_too_short_is_found_out(server, tmp_path):
    """A file cut to a false length is no whole zip: it never takes the file's place."""
    server.moods.said = server.moods.promised = len(server.moods.data) - 5000
    with pytest.raises(DownloadError, match="arrived damaged"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_more_than_was_confirmed_is_not_read(server, tmp_path):
    """What was confirmed at half the size is not downloaded at the whole."""
    server.moods.said = len(server.moods.data) // 2
    with pytest.raises(DownloadError, match=r"announced with 0\.5 MB and sends 0\.9 MB"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("head", ["loop", "refused", "silent"])
def test_a_size_that_head_does_not_tell_is_asked_by_one_byte(server, tmp_path, head):
    """An endless redirect, a refusal or silence to HEAD: the first byte tells the size."""
    server.moods.head = head
    sizes = []
    get(server, tmp_path, confirm=lambda files: sizes.append(files[0][1]) or True)
    assert sizes == [len(server.moods.data)]
    assert server.moods.gets == ["bytes=0-0", ""]


def test_a_size_nobody_tells(server, tmp_path):
    """A chunked answer without a length is confirmed as unknown and still proven."""
    server.moods.head, server.moods.chunked = "silent", True
    sizes = []
    get(server, tmp_path, confirm=lambda files: sizes.append(files[0][1]) or True)
    assert sizes == [None]
    assert (tmp_path / NAME).read_bytes() == server.moods.data


def test_a_web_page_with_status_200_is_not_the_file(server, tmp_path):
    """An error page dressed as success is named by its title, and nothing of it is kept."""
    server.moods.page = (
        b"<!DOCTYPE html>\n<html><head><title>Page\n not found</title></head></html>"
    )
    with pytest.raises(
        DownloadError, match=r'web page \("Page not found"\) instead of lda_000b21a'
    ):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    with speaking("fr"), pytest.raises(DownloadError, match=r"a envoyé une page Web"):
        get(server, tmp_path)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, r"is not there \(HTTP 404\)"),
        (403, r"was refused \(HTTP 403"),
        (407, "proxy wants a password"),
    ],
)
def test_answers_that_will_not_change_are_told_at_once(server, tmp_path, status, message):
    """Not found, forbidden and a proxy's password are not tried again."""
    server.moods.statuses = [status] * 9
    with pytest.raises(DownloadError, match=message):
        get(server, tmp_path)
    assert len(server.moods.gets) == 1


def test_a_busy_server_is_tried_again(server, tmp_path):
    """503 and 429 pass; more of them in a row than the tries allow end it."""
    server.moods.statuses = [503, 429]
    get(server, tmp_path)
    assert (tmp_path / NAME).exists()
    (tmp_path / NAME).unlink()
    server.moods.statuses = [503] * 9
    with pytest.raises(DownloadError, match=r"3 faults in a row.*HTTP 503"):
        get(server, tmp_path)


def test_no_server_at_all(server, tmp_path):
    """A refused connection says how to go on without this network."""
    gone = wanted(server)
    port = server.server_port
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match=rf"127\.0\.0\.1:{port}.*3 tries.*with a browser"):
        fetch([gone], tmp_path, confirm=lambda _: True, patience=QUICK)


def test_a_known_checksum_is_held_against(server, tmp_path):
    """The right one passes in either case; another leaves nothing."""
    right = hashlib.sha256(server.moods.data).hexdigest()
    with pytest.raises(DownloadError, match=rf"SHA-256 {'0' * 64} was expected and {right} came"):
        get(server, tmp_path, checksums={NAME: "0" * 64})
    assert list(tmp_path.iterdir()) == []
    get(server, tmp_path, checksums={NAME: right.upper()})


def test_no_room_is_told_before_anything_is_read(server, tmp_path, monkeypatch):
    """The room needed and the room there are in the message."""
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DownloadError, match=r"needs 51 MB free and has 10 MB"):
        get(server, tmp_path)
    assert server.moods.gets == []


def test_a_disk_that_fills_up_on_the_way(server, tmp_path, monkeypatch):
    """What came is kept for the next call; the message says so."""
    real = Path.open

    def full(self, *args, **kwargs):
        stream = real(self, *args, **kwargs)
        if self.name.endswith(".part"):
            written = stream.write

            def write(chunk):
                if stream.tell() > 200_000:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return written(chunk[:100_000])

            class Filling:
                """A file on a disk that fills up."""

                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    stream.close()

                def __getattr__(self, name):
                    return write if name == "write" else getattr(stream, name)

            return Filling()
        return stream

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DownloadError, match=r"disk is full while downloading.*is kept"):
        get(server, tmp_path)
    assert leftovers(tmp_path) == [f"{NAME}.part", f"{NAME}.part.json"]


def test_a_folder_that_cannot_be(server, tmp_path):
    """A file where the folder should be is told before anything is read."""
    (tmp_path / "taken").write_text("x")
    with pytest.raises(DownloadError, match=r"taken cannot be written"):
        get(server, tmp_path / "taken")


def test_a_file_without_an_address(tmp_path):
    """What has no known address is named, with the way round."""
    unknown = NeededFile(replace(boundary_file("DA", 2021), address=""), "", None, "")
    with pytest.raises(DownloadError, match=r"No address is known for lda_000b21a_e\.zip"):
        fetch([unknown], tmp_path, confirm=lambda _: True)


def _with_certificate(server: Server, folder: Path) -> Path:
    pem = folder / "office.pem"
    pem.write_text(KEY_AND_CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return pem


def test_certificates(server, tmp_path, monkeypatch):
    """An unknown certificate is refused by name; either variable makes it known."""
    pem = _with_certificate(server, tmp_path)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def run(folder):
        return fetch(
            [wanted(server, "https")], tmp_path / folder, confirm=lambda _: True, patience=QUICK
        )

    with pytest.raises(DownloadError, match=r"not trusted.*SSL_CERT_FILE or REQUESTS_CA_BUNDLE"):
        run("none")
    for at, name in enumerate(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")):
        monkeypatch.setenv(name, str(pem))
        assert run(f"{at}")[0].path.read_bytes() == server.moods.data
        monkeypatch.delenv(name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(DownloadError, match=r"REQUESTS_CA_BUNDLE needs to name a file"):
        run("bad")


def test_the_proxy_variable_is_honoured(server, tmp_path, monkeypatch):
    """With a proxy set, requests go to it with the whole address."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    address = f"http://statcan.example/{NAME}"
    needed = NeededFile(boundary_file("DA", 2021), address, None, "")
    fetch([needed], tmp_path, confirm=lambda _: True, patience=QUICK)
    assert {path for _, path, _ in server.moods.seen} == {address}
    assert (tmp_path / NAME).read_bytes() == server.moods.data


def test_several_files_are_confirmed_once(server, tmp_path):
    """One question for all; each arrives in the order asked."""
    both = [wanted(server, name=name) for name in (NAME, "ldb_000b21a_e.zip")]
    questions = []
    found = fetch(
        both,
        tmp_path,
        confirm=lambda files: questions.append([one.file.name for one, _ in files]) or True,
        patience=QUICK,
    )
    assert questions == [[NAME, "ldb_000b21a_e.zip"]]
    assert [one.path.name for one in found] == questions[0]


def test_a_profile_is_fetched_and_imported(server, tmp_path, monkeypatch, capsys):
    """`census table fetch` downloads a province's part and imports it; then nothing is needed."""
    path = profile_2021(tmp_path / "98-401-X2021006_English_CSV_data_Prairies.csv", ONE)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(path, path.name)
    server.moods.data = packed.getvalue()
    address = f"http://127.0.0.1:{server.server_port}/{{lang}}/{{number}}"
    monkeypatch.setitem(facts()["profiles"]["2021"], "address", address)
    places = ("AB", "--store", str(tmp_path / "store"))
    fetch_it = ("census", "table", "fetch", *places, "--yes", "--to", str(tmp_path / "got"))
    for call, status in ((fetch_it, 0), (("census", "table", "need", *places), 0)):
        with pytest.raises(SystemExit) as ended:
            main(call)
        assert (ended.value.code or 0) == status, capsys.readouterr().err
    assert "has the Census Profile of these places" in capsys.readouterr().out
    assert {path for _, path, _ in server.moods.seen} == {"/E/006_Prairies"}
    assert [one.name for one in (tmp_path / "got").iterdir()] == [
        "98-401-X2021006_Prairies_eng_CSV.zip"
    ]
    tables = describe_tables(tmp_path / "store")
    assert tables["level"].tolist().count("DA") == 1
    with pytest.raises(SystemExit):
        main(["census", "table", "fetch", "--store", str(tmp_path / "store")])
    assert "say which is wanted" in capsys.readouterr().err
