"""Make the dictionary of variables and of flags: ``python docs/make_variables.py [--check]``."""

from __future__ import annotations

import sys

import writing

from lipgeo.tables import known_variables
from lipgeo.words import catalogue

YEARS = (2006, 2011, 2016, 2021)
HEADS = {
    "en": (
        "reference/variables.md",
        "# Variables and flags\n\n"
        "The variables that lipgeo knows by name in the Census Profiles of "
        "2006, 2011 (census and National Household Survey), 2016 and 2021.\n"
        "A cell of a year holds the characteristic's id where it was checked against a published "
        "file; *by name* where the row is found by its words, not all of them checked for that "
        "year; *unverified* where no file of that year was seen and the words are those of a "
        "printed order; nothing where the year does not have it.\n"
        "Any count is also a percentage of its denominator: add `_pct` to the name.\n"
        "Other variables are weighted too, when you say their rule.\n"
        "`python docs/make_variables.py` makes this page.\n",
        ("variable", "what it is", "rule", "denominator", "shared by", "rounded to", "long form"),
        ("yes", "no", "exact", {"by name": "by name", "unverified": "unverified"}),
        "## Flags of areas and numbers\n\nThe column `flags` (areas) or `flag` (numbers) holds "
        "these words, parted by `;`.\n",
        ("flag", "what it says"),
    ),
    "fr": (
        "fr/variables.md",
        "# Variables et indicateurs\n\n"
        "Les variables que lipgeo connaît par leur nom dans les profils du recensement de 2006, "
        "2011 (recensement et Enquête nationale auprès des ménages), 2016 et 2021.\n"
        "La case d'une année donne l'identifiant de la caractéristique s'il a été vérifié dans un "
        "fichier publié; *par le nom* si la ligne est trouvée par ses mots, pas tous vérifiés pour "
        "cette année; *non vérifié* si aucun fichier de cette année n'a été vu et que les mots "
        "sont ceux d'une commande imprimée; rien si l'année ne l'a pas.\n"
        "Tout compte peut aussi être un pourcentage de son dénominateur : ajoutez `_pct` au nom.\n"
        "D'autres variables sont pondérées aussi, si vous dites leur règle.\n"
        "`python docs/make_variables.py` fait cette page.\n",
        ("variable", "ce que c'est", "règle", "dénominateur", "partagée selon", "arrondie à",
         "questionnaire long"),
        ("oui", "non", "exact", {"by name": "par le nom", "unverified": "non vérifié"}),
        "## Indicateurs des territoires et des chiffres\n\nLa colonne `flags` (territoires) ou "
        "`flag` (chiffres) contient ces mots, séparés par `;`.\n",
        ("indicateur", "ce qu'il dit"),
    ),
}  # fmt: skip


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def pages() -> dict[str, str]:
    """Return the page of each language."""
    made = {}
    known = {year: known_variables(year) for year in YEARS}
    for language, (name, head, heads, words, flags, flag_heads) in HEADS.items():
        yes, no, exact, unsure = words
        rows = []
        for key, one in known[YEARS[-1]].items():
            stands = {place.vintage: place for place in one.characteristics}
            sampled = [year for year in YEARS if year in stands and known[year][key].sampled]
            here = [year for year in YEARS if year in stands]
            rows.append((
                f"`{key}`",
                writing.plain(getattr(one, f"name_{language}")),
                one.rule,
                f"`{one.denominator}`" if one.denominator else "",
                one.basis,
                str(int(one.rounding)) if one.rounding else exact,
                no if not sampled else yes if sampled == here else ", ".join(map(str, sampled)),
                *(
                    "" if year not in stands
                    else stands[year].id or f"*{unsure[stands[year].certainty]}*"
                    for year in YEARS
                ),
            ))  # fmt: skip
        meant = [
            (f"`{key.removeprefix('report.flag_')}`", writing.plain(said[language]))
            for key, said in catalogue().items()
            if key.startswith("report.flag_")
        ]
        made[name] = (
            f"{head}\n{_table((*heads, *map(str, YEARS)), rows)}\n{flags}\n"
            f"{_table(flag_heads, meant)}"
        )
    return made


if __name__ == "__main__":
    sys.exit(writing.main(pages()))
