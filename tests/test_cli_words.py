"""What the command line says in words: headings of tables and messages of a wrong call."""

from __future__ import annotations

import pytest
import storefiles
import toytown

from lipgeo import words
from lipgeo.census.search import MATCHES
from lipgeo.cli.reporting import cell_words, column_head
from lipgeo.registry.compile import COLUMNS, INTAKE
from lipgeo.registry.table import COLUMNS as TABLES
from lipgeo.registry.table import STATUSES
from lipgeo.store.add import add_census
from lipgeo.store.read import describe_store
from lipgeo.store.tables.opening import describe_tables

#: columns of the registry and of submissions that no table shows
_UNSEEN = {
    "sha256", "received", "fault", "problems", "contact", "email", "certainty",
    "da_count", "db_count", "consortium_id", "codes_general_knowledge", "codes_status",
    "matching_lip_ids", "listed_2011_page", "listed_2006_release", "confidence",
}  # fmt: skip


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_every_heading_is_in_plain_words(lang, tmp_path):
    """A column that a table of the terminal may have is headed in words, in each language."""
    columns = {*COLUMNS, *INTAKE, *(name for names in TABLES.values() for name in names)}
    files = storefiles.town(tmp_path)
    add_census(tmp_path / "store", [files["da"]])
    columns |= {*describe_store(tmp_path / "store"), *describe_tables(tmp_path)} - {"sources"}
    columns |= set(toytown.census().find("a")) | {"file", "size_mb", "address", "reason"}
    with words.speaking(lang):
        bare = {one for one in columns - _UNSEEN if column_head(one) == one}
        assert bare == set()
        codes = {one for one in MATCHES if cell_words("match", one) == one}
        assert codes | {one for one in STATUSES if cell_words("units_status", one) == one} == set()


def test_a_column_of_somebody_else_keeps_its_name():
    """A heading that lipgeo does not know is shown as it is, and so are the cells below it."""
    assert column_head("MUN_NAME") == "MUN_NAME"
    assert cell_words("MUN_NAME", "exact") == "exact"
    assert cell_words("intended", True) == "yes"
