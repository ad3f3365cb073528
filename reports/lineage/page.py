"""The page of lineage: which data, code and settings made which version, and what came of it."""

from collections.abc import Sequence
from typing import Any

from reports.downloads import with_data
from reports.headlines import headlines_of, name_of
from reports.lifecycle.batches import Facts, short
from reports.lineage.picture import Box, Edge, picture
from reports.pages import instant, measure

_REVISION = 7


def arranged(site: Facts, history: Facts) -> Facts:
    """The values of the template `lineage.html`, from the facts of `reports.site` as plain JSON."""
    headline = headlines_of(history)[0]
    cards = {version["version"]: version.get("card") for version in history["versions"]}
    made = [_made(each, cards, headline, site["duels"]) for each in site["made"]]
    rounds = _rounds(made)
    edges = _edges(made, site)
    drawn = picture([_source(each) for each in rounds], _boxes(made, rounds), edges) if made else None
    return {
        "made": made[::-1],
        "rounds": rounds[::-1],
        "headline": name_of(headline),
        "lineage": with_data(drawn, "lineage", _table(made, edges)) if drawn else None,
    }


def _made(given: Facts, cards: Facts, headline: str, duels: Sequence[Facts]) -> Facts:
    duel = next((each for each in duels if each["version"] == given["version"]), None)
    return given | {
        "anchor": f"version-{short(given['version'])[1:]}",
        "round": f"round-{given['as_of'][:10]}",
        "card": cards.get(given["version"]),
        "headline": given["holdout"].get(headline, {}).get("value"),
        "answer": None if duel is None else "released" if duel["accepted"] else "refused",
        "against": duel["against"] if duel else None,
        "from": [*given["starts"].values(), *([given["keeps"]] if given["keeps"] else [])],
    }


def _rounds(made: Sequence[Facts]) -> list[Facts]:
    """What was fitted at one instant, from the same data, code and settings, in order of time."""
    found: dict[tuple[str, str, str], list[Facts]] = {}
    for each in made:
        found.setdefault((each["as_of"], each["code"], each["settings"]), []).append(each)
    rounds = [{**versions[0], "versions": versions} for versions in found.values()]
    seen: dict[str, int] = {}
    for each in rounds:
        seen[each["round"]] = seen.get(each["round"], 0) + 1
        again = seen[each["round"]]
        each["anchor"] = each["round"] + (f"-{again}" if again > 1 else "")
        for version in each["versions"]:
            version["round"] = each["anchor"]
    return rounds


def _source(each: Facts) -> Box:
    """The data, code and settings of a round."""
    batches, tables = each["batches"], each["tables"]
    span = batches[0] if len(batches) == 1 else f"{batches[0]} to {batches[-1]}" if batches else "no batch"
    return Box(
        f"#{each['anchor']}",
        f"as of {instant(each['as_of'])[:10]}",
        (
            f"{span} ({len(batches)})",
            ", ".join(f"{table} {number}" for table, number in tables.items()),
            f"code {each['code'][:_REVISION]}, spec {each['settings'][:_REVISION]}",
        ),
        "source",
        f"What {len(each['versions'])} versions were made from as of {each['as_of'][:10]}",
    )


def _boxes(made: Sequence[Facts], rounds: Sequence[Facts]) -> dict[str, tuple[int, int, Box]]:
    """Each version with its row (the round) and its lane (the family, further ones of it to the right)."""
    lanes: dict[tuple[str, int], int] = {}
    for family in dict.fromkeys(each["family"] for each in made):
        most = max(sum(each["family"] == family for each in one["versions"]) for one in rounds)
        lanes |= {(family, place): len(lanes) + place for place in range(most)}
    found = {}
    for row, one in enumerate(rounds):
        taken: dict[str, int] = {}
        for each in one["versions"]:
            place = taken.get(each["family"], 0)
            taken[each["family"]] = place + 1
            found[each["version"]] = (row, lanes[each["family"], place], _box(each))
    return found


def _box(each: Facts) -> Box:
    state = each["stage"] if each["stage"] == "champion" else each["answer"] or each["stage"]
    star = " ★" if each["stage"] == "champion" else ""
    return Box(
        f"#{each['anchor']}",
        f"{short(each['version'])}{star}",
        (each["family"], f"{state} {measure(each['headline'])}" if each["headline"] is not None else state),
        state,
        f"{each['version']}, {each['family']}: {state}",
    )


def _edges(made: Sequence[Facts], site: Facts) -> list[Edge]:
    """Who went on from whom, and who met whom in the gate."""
    known = {each["version"] for each in made}
    found = [Edge(start, each["version"], "went on") for each in made for start in each["from"]]
    found += [
        Edge(each["against"], each["version"], "released" if each["accepted"] else "refused")
        for each in site["duels"]
        if each["against"]
    ]
    return [edge for edge in found if {edge.start, edge.end} <= known]


def _table(made: Sequence[Facts], edges: Sequence[Edge]) -> dict[str, list[Any]]:
    """The facts of each version, a row each."""
    parents = {each["version"]: "; ".join(each["from"]) for each in made}
    met = {edge.end: edge.start for edge in edges if edge.kind != "went on"}
    plain = ("version", "family", "stage", "as_of", "code", "settings", "seed", "trained_until")
    return {
        **{name: [each[name] for each in made] for name in plain},
        "batches": ["; ".join(each["batches"]) for each in made],
        "tables": ["; ".join(f"{name} {number}" for name, number in each["tables"].items()) for each in made],
        "went on from": list(parents.values()),
        "met": [met.get(each["version"], "") for each in made],
    }
