"""``describe_tables``: the imported tables of a store."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lipgeo.store.layout import no_store
from lipgeo.stored_tables.layout import held_tables, read_manifest

__all__ = ["describe_tables"]


def describe_tables(store: str | Path) -> pd.DataFrame:
    """Return the tables that a store holds, one row a level of each; reads the manifests only.

    Parameters
    ----------
    store
        The store's folder.

    Returns
    -------
    pandas.DataFrame
        ``vintage`` (int), ``name, level`` (text), ``unit_count, characteristic_count, row_count``
        (int), ``sources`` (text; names of the files).

    Raises
    ------
    StoreError
        There is no store, or a table is damaged or was written by a newer lipgeo.
    """
    folder = Path(store)
    if not folder.is_dir():
        raise no_store(folder)
    rows = []
    for (vintage, name), table in held_tables(folder).items():
        manifest = read_manifest(table)
        files = ", ".join(source["file"] for source in manifest["sources"])
        rows += [
            {
                "vintage": vintage,
                "name": name,
                "level": level,
                "unit_count": manifest["units"][level],
                "characteristic_count": manifest["characteristics"],
                "row_count": manifest["rows"][level],
                "sources": files,
            }
            for level in manifest["levels"]
        ]
    columns = [
        "vintage", "name", "level", "unit_count", "characteristic_count", "row_count", "sources",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
