"""Releases: dated sets of observations, written once, hashed, under one lock; and withdrawal.

A portal's folder ``releases/`` holds a folder a release: ``observations.parquet`` and
``release.json``. A correction is a new release. The one exception is a withdrawal: Statistics
Canada recalls cells, and then the values leave every stored file. ``withdrawals.json`` keeps what
was withdrawn, when and why, and is written first: who opens the portal next finishes what a crash
left half done.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lipgeo.errors import StoreError, tell_damage
from lipgeo.files import (
    file_in_one_step,
    folder_in_one_step,
    is_as_written,
    output_error,
    read_sealed_parquet,
    sealed_json,
    sha256_of,
    write_sealed_parquet,
)
from lipgeo.portal.observations import COLUMNS, KEY, NUMBERS, no_observations
from lipgeo.sealing import is_sealed
from lipgeo.words import say
from lipgeo.workplace import clear_litter, lock_file

__all__ = ["Release", "ReleaseStore"]

_DATA = "observations.parquet"
_RECORD = "release.json"
_UNITS = "units.parquet"
_LEDGER = "withdrawals.json"
_BUILDS = "builds.json"
_SEEN = "public.parquet"
_LOCK = ".lock"
#: key that stands in a file whenever a sum of the file does
_SEALED = "sealed"
#: what is kept of a number that was public once: which it was, never its value
SEEN_COLUMNS = (*KEY, "realisation_hash")
#: layout of a release; a reader refuses a newer one
_VERSION = 1
#: rows a group of a Parquet file holds
_GROUP = 200_000


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes
    ----------
    id
        Its name, unique in the portal.
    number
        Its place in time, from 1.
    record
        What ``release.json`` says: date, kind, sources with their hashes, checks, acceptances,
        licence, areas, realisations, indicators of its own, what it was made from.
    """

    id: str
    number: int
    record: dict[str, Any]

    @property
    def date(self) -> str:
        """Day it was made, ISO."""
        return str(self.record["date"])


class ReleaseStore:
    """The folder of releases of one portal.

    Parameters
    ----------
    folder
        ``releases/`` of the portal; it is made when the first release is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: dict[tuple[str, str], pd.DataFrame] = {}
        self._units: dict[str, pd.DataFrame] = {}
        self._keys: tuple[str, set[tuple[Any, ...]]] | None = None
        # a record is read again when its file is another: a withdrawal puts a new one in its place
        self._records: dict[tuple[str, int, int, int], dict[str, Any]] = {}

    # ------------------------------------------------------------------ reading

    @property
    def releases(self) -> list[Release]:
        """All releases, oldest first."""
        found: list[Release] = []
        if not self.folder.is_dir():
            return found
        for place in self.folder.iterdir():
            if place.name.startswith(".") or not place.is_dir():
                continue
            record = self._record(place)
            found.append(Release(place.name, int(record["number"]), record))
        return sorted(found, key=lambda one: one.number)

    def _record(self, place: Path) -> dict[str, Any]:
        path = place / _RECORD
        try:
            state = path.stat()
            key = (place.name, state.st_mtime_ns, state.st_size, state.st_ino)
            if key in self._records:
                return self._records[key]
            raw = path.read_bytes()
            record: dict[str, Any] = json.loads(raw.decode("utf-8"))
            version, _ = int(record["version"]), (record["number"], record["sha256"])
            whole = is_as_written(raw, record, _SEALED)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError("portal.release_damaged", release=place.name, path=path) from error
        if version > _VERSION:
            raise StoreError("portal.release_newer", release=place.name, found=version)
        if not whole:
            raise StoreError("portal.release_changed", release=place.name, path=path)
        self._records[key] = record
        return record

    def rows(self, release: Release) -> pd.DataFrame:
        """Return the observations of a release, withdrawn ones without their numbers.

        Raises
        ------
        StoreError
            The file is not the one that was written.
        """
        path = self.folder / release.id / _DATA
        wanted = str(release.record["sha256"])
        kept = self._rows.get((release.id, wanted))
        if kept is not None:
            return kept
        with tell_damage(StoreError, "portal.release_damaged", release=release.id, path=path):
            if sha256_of(path) != wanted and not self._pending(release.id):
                raise StoreError("portal.release_changed", release=release.id, path=path)
            frame = _read_rows(path)
        # a crash between ledger and file: what is recalled is not read all the same
        for entry in self._pending(release.id):
            frame = _without(frame, entry)
        self._rows[release.id, wanted] = frame
        return frame

    def units(self, release: Release) -> pd.DataFrame | None:
        """Return what the areas of a release are made of, ``None`` where it does not say."""
        path = self.folder / release.id / _UNITS
        if not path.is_file():
            if "units_sha256" in release.record:
                raise StoreError("portal.release_damaged", release=release.id, path=path)
            return None
        if release.id not in self._units:
            wanted = release.record.get("units_sha256")
            with tell_damage(StoreError, "portal.release_damaged", release=release.id, path=path):
                if wanted is not None and sha256_of(path) != wanted:
                    raise StoreError("portal.release_changed", release=release.id, path=path)
                frame = pq.ParquetFile(path).read().to_pandas()
            for name in frame.columns:
                if name not in ("share", "population"):
                    frame[name] = _objects(frame[name])
            self._units[release.id] = frame
        return self._units[release.id]

    # ------------------------------------------------------------------ what was built

    @property
    def builds(self) -> list[dict[str, Any]]:
        """What was built from the portal: kind, path, audience, number of the newest release."""
        return _read_ledger(self.folder / _BUILDS)

    @property
    def seen(self) -> pd.DataFrame:
        """Keys of every number that was ever in something public, with its realisation."""
        path = self.folder / _SEEN
        if not path.is_file():
            return pd.DataFrame(columns=list(SEEN_COLUMNS), dtype=object)
        with tell_damage(StoreError, "portal.ledger_damaged", path=path):
            return read_sealed_parquet(path)[0].to_pandas().astype(object)

    def _seen_keys(self) -> set[tuple[Any, ...]]:
        mark = _mark_of(self.folder / _SEEN)
        if self._keys is None or self._keys[0] != mark:
            self._keys = (mark, set(_key_tuples(self.seen)))
        return self._keys[1]

    @property
    def state(self) -> tuple[tuple[str, str], ...]:
        """What numbers depend on, to be compared: releases, withdrawals, what the public saw."""
        marks = [(one.id, str(one.record["sha256"])) for one in self.releases]
        marks += [(name, _mark_of(self.folder / name)) for name in (_LEDGER, _SEEN)]
        return tuple(marks)

    def remember_build(self, build: Mapping[str, Any], public: pd.DataFrame | None) -> None:
        """Write down that something was built; the caller holds the lock."""
        if public is not None and len(public):
            there = public.loc[public["value"].notna(), list(SEEN_COLUMNS)]
            # a document is made a hundred times of what was seen before
            known = self._seen_keys()
            new = [key not in known for key in _key_tuples(there)]
            if any(new):
                whole = pd.concat([self.seen, there[new]]).drop_duplicates()
                with file_in_one_step(self.folder / _SEEN) as path:
                    table = pa.Table.from_pandas(whole, preserve_index=False)
                    write_sealed_parquet(table, path, {"kind": "lipgeo seen"})
        kept = [one for one in self.builds if one["path"] != build["path"]]
        with file_in_one_step(self.folder / _BUILDS) as path:
            path.write_bytes(_ledger([*kept, dict(build)]))

    def all_rows(self, upto: int | None = None) -> pd.DataFrame:
        """Return the rows of all releases up to one, oldest first."""
        parts = [self.rows(one) for one in self.releases if upto is None or one.number <= upto]
        parts = [part for part in parts if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else no_observations()

    def named(self, id: str) -> Release:
        """Return a release by its name.

        Raises
        ------
        StoreError
            There is none of that name.
        """
        found = {one.id: one for one in self.releases}
        if id not in found:
            raise StoreError("portal.no_release", release=id, known=list(found))
        return found[id]

    # ------------------------------------------------------------------ writing

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the portal for writing; finish what an earlier writer left half done.

        Raises
        ------
        StoreError
            Another process writes to this portal.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = (self.folder / _LOCK).open("a+b")
        except OSError as error:
            raise output_error(self.folder / _LOCK, error) from error
        with handle:
            # the system gives a lock back when its process ends, however it ends
            if not lock_file(handle.fileno()):
                raise StoreError("portal.in_use", folder=self.folder.parent)
            self._tidy()
            yield

    def write(
        self,
        id: str,
        frame: pd.DataFrame,
        record: Mapping[str, Any],
        units: pd.DataFrame | None = None,
    ) -> Release:
        """Write one release, whole or not at all; the caller holds the lock.

        Raises
        ------
        StoreError
            A release of that name was used before, or the name is no name of a folder.
        """
        if not _is_name(id):
            raise StoreError("portal.bad_release", release=id)
        known = self.releases
        if id.casefold() in {one.id.casefold() for one in known}:
            raise StoreError("portal.release_used", release=id)
        number = max((one.number for one in known), default=0) + 1
        with folder_in_one_step(self.folder / id) as made:
            _write_rows(frame.assign(release=id), made / _DATA)
            if units is not None and len(units):
                _write_units(units, made / _UNITS)
            whole = {
                "version": _VERSION,
                "number": number,
                "rows": len(frame),
                **record,
                "sha256": sha256_of(made / _DATA),
                _SEALED: "lipgeo release",
            }
            if (made / _UNITS).is_file():
                whole["units_sha256"] = sha256_of(made / _UNITS)
            (made / _RECORD).write_bytes(sealed_json(whole))
        return Release(id, number, whole)

    # ------------------------------------------------------------------ withdrawal

    @property
    def withdrawals(self) -> list[dict[str, Any]]:
        """What was withdrawn, oldest first: release, keys, date, reason, what was made with it."""
        return _read_ledger(self.folder / _LEDGER)

    def withdraw(self, entry: Mapping[str, Any]) -> None:
        """Take values out of a release; the caller holds the lock."""
        self._write_ledger([*self.withdrawals, {**entry, "done": False}])
        self._finish()

    def _pending(self, id: str) -> list[dict[str, Any]]:
        return [one for one in self.withdrawals if one["release"] == id and not one["done"]]

    def _finish(self) -> None:
        """Bring files in line with the ledger; safe to do again."""
        entries = self.withdrawals
        for entry in entries:
            if entry["done"]:
                continue
            place = self.folder / entry["release"]
            frame = _without(_read_rows(place / _DATA), entry)
            with file_in_one_step(place / _DATA) as path:
                _write_rows(frame, path)
            record = {**self._record(place), _SEALED: "lipgeo release"}
            record["sha256"] = sha256_of(place / _DATA)
            record["withdrawn"] = [*record.get("withdrawn", []), entry["date"]]
            with file_in_one_step(place / _RECORD) as path:
                path.write_bytes(sealed_json(record))
            for name in entry.get("files", ()):
                # the file as it came holds the recalled values too
                with suppress(FileNotFoundError):
                    (self.folder.parent / name).unlink()
            entry["done"] = True
            self._write_ledger(entries)
        self._rows.clear()

    def _write_ledger(self, entries: Sequence[Mapping[str, Any]]) -> None:
        with file_in_one_step(self.folder / _LEDGER) as path:
            path.write_bytes(_ledger(entries))

    def _tidy(self) -> None:
        """Throw away what a writer that was killed left behind, and finish a withdrawal."""
        clear_litter(self.folder)
        for place in self.folder.glob(".lipgeo-????????"):  # of before they had owners
            shutil.rmtree(place, ignore_errors=True)
        if any(not one["done"] for one in self.withdrawals):
            self._finish()


def _ledger(entries: Sequence[Mapping[str, Any]]) -> bytes:
    return sealed_json({_SEALED: "lipgeo ledger", "entries": list(entries)})


def _read_ledger(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a list that lipgeo keeps in a portal; none where there is no file."""
    try:
        raw = path.read_bytes()
        found = json.loads(raw.decode("utf-8"))
        if isinstance(found, list):  # from before it held a sum of itself
            return found
        entries: list[dict[str, Any]] = found["entries"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError("portal.ledger_damaged", path=path) from error
    if not is_sealed(raw):
        raise StoreError("portal.ledger_damaged", path=path)
    return entries


def _without(frame: pd.DataFrame, entry: Mapping[str, Any]) -> pd.DataFrame:
    """Return rows without the numbers that an entry of the ledger recalls."""
    if entry["keys"] is None:
        gone = np.ones(len(frame), dtype=bool)
    else:
        wanted = pd.MultiIndex.from_tuples([tuple(key) for key in entry["keys"]], names=list(KEY))
        gone = pd.MultiIndex.from_frame(frame[list(KEY)]).isin(wanted)
    frame = frame.copy()
    frame.loc[gone, list(NUMBERS)] = np.nan
    frame.loc[gone, "symbol"] = "withdrawn"
    frame.loc[gone, "flags"] = ""
    return frame


def _objects(values: pd.Series) -> pd.Series:
    """Return text as plain objects; what is read as a dictionary is spread at no cost a cell."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        names = np.array([*values.cat.categories, ""], dtype=object)
        return pd.Series(names[values.cat.codes.to_numpy()], index=values.index, dtype=object)
    return values.astype(object)


def _read_rows(path: Path) -> pd.DataFrame:
    table = pq.ParquetFile(path, page_checksum_verification=True).read()
    nested = [one.name for one in table.schema if pa.types.is_nested(one.type)]
    if nested:  # lists are no cells: what sorts and groups them ends in errors of every kind
        raise ValueError(say("portal.columns_of_lists", columns=nested))
    frame = table.to_pandas()
    for name in COLUMNS:
        if name not in NUMBERS:
            frame[name] = _objects(frame[name])
    return frame


def _write_rows(frame: pd.DataFrame, path: Path) -> None:
    fields = []
    for name in COLUMNS:
        if name in NUMBERS:
            fields.append(pa.array(frame[name].to_numpy(dtype=np.float64), from_pandas=True))
        else:
            kinds = frame[name].astype("category")
            words = pa.array([str(one) for one in kinds.cat.categories], pa.string())
            codes = pa.array(kinds.cat.codes.to_numpy().astype(np.int32))
            fields.append(pa.DictionaryArray.from_arrays(codes, words))
    pq.write_table(
        pa.Table.from_arrays(fields, names=list(COLUMNS)),
        path,
        compression="zstd",
        row_group_size=_GROUP,
        write_page_checksum=True,
    )


def _write_units(units: pd.DataFrame, path: Path) -> None:
    texts = units.copy()
    for name in texts.columns:
        if name not in ("share", "population"):
            texts[name] = texts[name].astype(str).astype("category")
        else:
            texts[name] = texts[name].astype("float64")
    table = pa.Table.from_pandas(texts, preserve_index=False)
    pq.write_table(
        table.replace_schema_metadata(None), path, compression="zstd", write_page_checksum=True
    )


def _is_name(id: str) -> bool:
    """Say whether a text can be the name of a folder on every platform."""
    plain = all(mark.isascii() and (mark.isalnum() or mark in "-_.") for mark in id)
    return bool(id) and plain and id[0].isalnum() and not id.endswith(".") and len(id) <= 100


def _mark_of(path: Path) -> str:
    """Return what tells a file from what it was before; empty where there is none."""
    there = path.stat() if path.is_file() else None
    return "" if there is None else f"{there.st_mtime_ns} {there.st_size} {there.st_ino}"


def _key_tuples(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    return zip(*(frame[name].tolist() for name in SEEN_COLUMNS), strict=True)
