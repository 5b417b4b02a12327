"""The dictionary of indicators: what it refuses, what it knows of censuses, what a portal adds."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

import lipgeo
from lipgeo.errors import InputError
from lipgeo.portal.indicators.dictionary import (
    GENDERS,
    GROUPS,
    is_rate,
    row_ids,
    shipped_dictionary,
    universe_words,
)
from lipgeo.readers.deliveries import plain_words

KNOWN = shipped_dictionary()


def test_sixty_indicators_in_both_languages_are_a_proposal():
    """Every indicator has names and definitions in both languages, and a universe."""
    frame = lipgeo.indicators()
    assert len(frame) == 60
    texts = frame[["name_en", "name_fr", "definition_en", "definition_fr"]]
    assert texts.ne("").all(axis=None)
    assert set(frame["certainty"]) == {"proposal"}
    assert set(frame["universe"]) <= set(universe_words())


def test_a_topic_or_a_word_in_either_language_finds_indicators():
    """A topic gives its indicators; a French word with another accent finds one; others refuse."""
    assert set(lipgeo.indicators("housing")["topic"]) == {"housing"}
    assert "unemployment_rate" in set(lipgeo.indicators("chomage")["code"])
    with pytest.raises(InputError, match="topics: people"):
        lipgeo.indicators("weather")


def test_groups_and_genders_are_never_part_of_a_code():
    """No code names a gender: who is told of is a dimension."""
    codes = lipgeo.indicators()["code"]
    assert not codes.str.contains(r"_(?:men|women|male|female)\b").any()
    assert GROUPS[0] == GENDERS[0] == "total"


@pytest.mark.parametrize(
    "words",
    [
        "Unemployment rate",
        "Prevalence of low income (%)",
        "Median total income in 2020 among recipients ($)",
        "Average household size",
        "% of tenant households in subsidized housing",
        "Taux de chômage",
        "Revenu médian",
    ],
)
def test_a_rate_is_never_the_numerator_of_a_percentage(words):
    """The dictionary refuses to load where a row's own words say that it is a rate already."""
    rows = KNOWN.rows.copy()
    rows.loc[rows["code"].eq("immigrants") & rows["census"].eq("2021"), "words"] = words
    with pytest.raises(InputError, match="immigrants: 2021") as refused:
        replace(KNOWN, rows=rows)
    assert [one["code"] for one in refused.value.rows] == ["immigrants"]
    assert is_rate(words)


def test_a_limit_in_percent_is_no_rate():
    """A row that counts households over a limit of 30 % is a count."""
    assert not is_rate("Spending 30% or more of income on shelter costs")
    assert not is_rate("Total - Private households by tenure - 25% sample data (50)")


def test_everything_wrong_is_told_at_once():
    """A bad rule, a code twice, a missing name and a pair without reason are one error."""
    frame = pd.concat([KNOWN.frame, KNOWN.frame.loc[["npr"]]])
    frame.loc["renters", "rule"] = "ratio"
    frame.loc["french", "name_fr"] = ""
    pairs = KNOWN.comparability.copy()
    pairs.loc[pairs["code"].eq("core_need"), "reason_fr"] = ""
    with pytest.raises(InputError) as refused:
        replace(KNOWN, frame=frame, comparability=pairs)
    assert {"npr", "renters", "french", "core_need"} <= {one["code"] for one in refused.value.rows}


def test_pairs_of_censuses_compare_as_badly_as_their_worst_step():
    """Neighbours by their row, others by the worst step between, unknown pairs not at all."""
    assert KNOWN.compare("immigrants", 2016, 2021)[0] == "yes"
    assert KNOWN.compare("immigrants", "2006", "2021")[0] == "caution"
    verdict, en, fr = KNOWN.compare("sales_service", 2006, 2021)
    assert verdict == "no"
    assert "classifications" in en
    assert "classifications" in fr
    assert KNOWN.compare("immigrants", 2011, 2016)[0] == "caution"  # the NHS was voluntary
    assert KNOWN.compare("born_oceania", 2016, 2021)[0] == "no"  # nobody has looked
    assert KNOWN.compare("immigrants", 2021, 2021) == ("yes", "", "")
    assert KNOWN.compare("renters", 2021, 2016) == KNOWN.compare("renters", 2016, 2021)


def test_every_pair_that_is_not_simply_yes_says_why_in_both_languages():
    """A verdict without its reason helps nobody."""
    pairs = KNOWN.comparability
    told = pairs[pairs["verdict"].ne("yes")]
    assert told[["reason_en", "reason_fr"]].ne("").all(axis=None)


def test_a_portal_adds_its_own_and_hides_others():
    """An indicator of one's own fills in what it leaves unsaid; a hidden one is gone with rows."""
    added = pd.DataFrame([{"code": "libraries", "name_en": "Library cards"}])
    own = KNOWN.with_local(added, ["indigenous"])
    assert own["libraries"]["name_fr"] == "Library cards"
    assert own["libraries"]["status"] == "local"
    assert "indigenous" not in own
    assert "indigenous" not in set(own.rows["code"])
    with pytest.raises(InputError, match="hides codes"):
        KNOWN.with_local(None, ["indigeneous"])


def test_rows_are_compared_without_footnotes_and_samples():
    """Ids of sums are spread out; the words of a row lose what changes from table to table."""
    assert row_ids("16:18+24") == ["16", "17", "18", "24"]
    one = plain_words("Total - Citizenship for the population - 25% sample data (76)")
    assert one == plain_words("Total - Citizenship for the population")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("census", "name", "pattern"),
    [
        ("2021", "98-401-X2021003_meta.txt", r"^(\d+)\t *(.*)$"),
        ("2016", "98-401-X2016058_meta.txt", r"^\s*(\d+)\.  *(.*)$"),
    ],
)
def test_every_id_is_the_row_its_words_say(realdata, census, name, pattern):
    """Ids of numerators and denominators are those of Statistics Canada's own lists."""
    text = (realdata / "members" / name).read_text(encoding="latin-1")
    words: dict[str, str] = {}
    for line in text.splitlines():
        found = re.match(pattern, line.rstrip())
        if found and int(found[1]) == len(words) + 1:
            words[found[1]] = found[2]
    rows = KNOWN.rows[KNOWN.rows["census"].eq(census) & KNOWN.rows["numerator"].ne("")]
    assert set(rows["certainty"]) == {"verified"}
    assert len(words) > 2000
    wrong = []
    for one in rows.itertuples():
        listed = [words[id] for id in row_ids(one.numerator)]
        said = one.words.split(" | ")
        wrong += [
            (one.code, a, b)
            for a, b in zip(listed, said, strict=True)
            if plain_words(a) != plain_words(b)
        ]
        if one.denominator and plain_words(words[one.denominator]) != plain_words(
            one.denominator_words
        ):
            wrong.append((one.code, words[one.denominator], one.denominator_words))
    assert wrong == []
