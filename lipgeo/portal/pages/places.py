"""How a place is put into a sentence: ``in Alberta``, ``en Alberta``, ``au Manitoba``.

Provinces, territories and Canada stand in ``places.csv``. Other places say it in ``portal.xlsx``
(``in_en``, ``in_fr``) or are named without a preposition: none is guessed from a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import pandas as pd

from lipgeo.errors import InputError
from lipgeo.geography.hierarchy import fold, province
from lipgeo.words import language

__all__ = ["in_place", "than_in_place"]

#: kinds of areas whose names are those of the table
_LISTED = ("province", "canada")
#: French "que" loses its last letter before these
_VOWELS = "aeiouyàâéèêëîïôœùû"


@cache
def _phrases() -> Mapping[str, Mapping[str, str]]:
    with (resources.files("lipgeo.portal.pages") / "places.csv").open(encoding="utf-8") as stream:
        frame = pd.read_csv(stream, dtype=str)
    return {_key(str(one["name_en"])): one for one in frame.to_dict("records")}


def _key(name: str) -> str:
    return name if name == "Canada" else province(name)


def in_place(area: Mapping[str, Any]) -> str:
    """Return an area with its preposition in the language in force, or nothing where none is sure.

    Parameters
    ----------
    area
        A row of a portal's areas: what its workbook says (``in_en``, ``in_fr``) counts first; a
        province, a territory or Canada is known by its name.

    Examples
    --------
    >>> from lipgeo.portal.pages.places import in_place
    >>> from lipgeo.words import speaking
    >>> area = {"kind": "province", "name_en": "Manitoba", "name_fr": "Manitoba"}
    >>> in_place(area), in_place({**area, "name_en": "Le Bic", "kind": "partnership"})
    ('in Manitoba', '')
    >>> with speaking("fr"):
    ...     in_place(area), in_place({**area, "in_fr": "dans la vallée"})
    ('au Manitoba', 'dans la vallée')
    """
    column = f"in_{language()}"
    given = str(area.get(column) or "").strip()
    if given or area["kind"] not in _LISTED:
        return given
    name = str(area["name_en"] or area["name_fr"])
    if fold(name) == "canada":
        return _phrases()["Canada"][column]
    try:
        return _phrases()[province(name)][column]
    except InputError:
        return ""


def than_in_place(phrase: str) -> str:
    """Return a phrase as it stands after "than": French loses a letter before a vowel.

    Examples
    --------
    >>> from lipgeo.portal.pages.places import than_in_place
    >>> from lipgeo.words import speaking
    >>> than_in_place("in Alberta")
    'than in Alberta'
    >>> with speaking("fr"):
    ...     than_in_place("en Alberta"), than_in_place("dans les Territoires du Nord-Ouest")
    ("qu'en Alberta", 'que dans les Territoires du Nord-Ouest')
    """
    if language() == "en":
        return f"than {phrase}"
    return f"qu'{phrase}" if phrase[:1].casefold() in _VOWELS else f"que {phrase}"
