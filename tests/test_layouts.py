"""Every layout in which tables are handed out: its right values, the same in every kind of file."""

from __future__ import annotations

import pytest
from made_layouts import MadeFile, made_files

import lipgeo
from lipgeo.errors import TableError

FILES = made_files()


@pytest.mark.parametrize("made", FILES, ids=[one.name for one in FILES])
def test_every_layout_has_its_right_value(tmp_path, made: MadeFile):
    """Level, census, a number and the symbols; a sentence asks for what has to be told."""
    path = tmp_path / made.name
    path.write_bytes(made.content)
    if made.without:
        with pytest.raises(TableError) as caught:
            lipgeo.read_table(path)
        assert made.without in str(caught.value)
    table = lipgeo.read_table(path, **made.asked)
    assert (table.level, table.vintage) == (made.level, made.vintage)
    assert table.frame.loc[made.unit, made.column] == made.value
    assert {place: table.symbols.loc[place] for place in made.symbols} == made.symbols
