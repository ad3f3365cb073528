"""Patterns of short texts: found by telling digits and letters apart, kept if each batch bears them out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import polars as pl

# What stands for any digit, capital, small letter, and letter beyond ASCII; the rest stands for itself.
DIGIT, CAPITAL, SMALL, OTHER = "9", "A", "a", "ä"
_CLASSES = {DIGIT: "0-9", CAPITAL: "A-Z", SMALL: "a-z"}
# Where letters and digits are mixed at will, as in a hash, this stands for all that occur.
ANY = "x"
RANGES = ("0-9", "A-F", "G-Z", "a-f", "g-z")
_LETTER = r"[^\W\d_]"
_LONGEST, _RUNS, _MARKS, _MANY = 64, 12, 3, 12
_LOOSE = 3  # difference of lengths beyond which there is no limit to them
_MEANT = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of the texts of a batch, and what all of them begin and end with.

    `ranges` are those of RANGES that ANY stands for, none where the shapes are not `loose`.
    """

    shapes: frozenset[str]
    prefix: str
    suffix: str
    ranges: frozenset[str] = frozenset()


def shape(text: pl.Expr) -> pl.Expr:
    """Each text with its characters replaced by what stands for their class.

    >>> pl.select(shape(pl.lit("Nr. 7é-X"))).item()
    'Aa. 9ä-A'
    """
    return (
        text.str.replace_all("[0-9]", DIGIT)
        .str.replace_all("[A-Z]", CAPITAL)
        .str.replace_all("[a-z]", SMALL)
        .str.replace_all(r"[\p{L}--[A-Za-z]]", OTHER)
    )


def loose(text: pl.Expr) -> pl.Expr:
    """Each text with its digits and plain letters replaced by ANY.

    >>> pl.select(loose(pl.lit("3f2b-09"))).item()
    'xxxx-xx'
    """
    return text.str.replace_all("[0-9A-Za-z]", ANY).str.replace_all(r"[\p{L}--[A-Za-z]]", OTHER)


def common(first: str, last: str) -> str:
    """What two texts, and all that lie between them in order, begin with; digits end it.

    >>> common("N712JB", "N9EA"), common("SKU-0012", "SKU-0456")
    ('N', 'SKU-')
    """
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    text = first[: min(len(first), len(last)) if same is None else same]
    return re.split("[0-9]", text, maxsplit=1)[0]


def pattern(batches: Sequence[Shapes]) -> str | None:
    """A regular expression for the texts of all batches, which each batch would have passed unseen.

    The tightest that the batches bear out: one on all the others must hold for the one left out.
    None where the texts have no fixed shape.

    >>> seen = Shapes(frozenset({"A9999A", "A99AA", "A999"}), "N", "")
    >>> pattern([seen, seen])
    '^N[0-9A-Z]{3,5}$'
    """
    if any(not batch.shapes or max(map(len, batch.shapes)) > _LONGEST for batch in batches):
        return None
    for write, more in ((_runs, 0), (_runs, 1), (_mixed, 0), (_mixed, 1), (_mixed, 2)):
        found = write(batches, more)
        if found is None:
            continue
        unseen = [write([*batches[:place], *batches[place + 1 :]], more) for place in range(len(batches))]
        if all(_holds(rule, batch) for rule, batch in zip(unseen, batches, strict=True)):
            return found
    return None


def _holds(rule: str | None, batch: Shapes) -> bool:
    return rule is not None and all(re.search(rule, example) for example in _examples(batch))


def _examples(batch: Shapes) -> Iterable[str]:
    """Texts of each shape, with the batch's own beginning and end."""
    for each in batch.shapes:
        start, end = len(batch.prefix), len(each) - len(batch.suffix)
        text = batch.prefix + each[start:end] + batch.suffix if start <= end else each
        # With the last of each range: the first of some may be in others too.
        yield from [text.replace(ANY, span[-1]) for span in batch.ranges] or [text]


def _runs(batches: Sequence[Shapes], more: int) -> str | None:
    """The pattern where all texts are the same runs of classes, such as AA-9999."""
    every = {each for batch in batches for each in batch.shapes}
    split = [[(char, len(list(run))) for char, run in groupby(each)] for each in sorted(every)]
    kinds = {tuple(char for char, _ in runs) for runs in split}
    if len(kinds) != 1 or len(split[0]) > _RUNS:
        return None
    prefix, classes = _common_prefix(batches), _classes(batches)
    left, parts = len(prefix), []
    for place, (char, _) in enumerate(split[0]):
        lengths = [runs[place][1] for runs in split]
        low, high = min(lengths), max(lengths)
        taken = min(left, low)
        left = left - taken if low == high else 0
        parts.append(_run(classes.get(char, ""), char, low - taken, high - taken, more))
    return f"^{_escaped(prefix)}{''.join(parts)}$"


def _mixed(batches: Sequence[Shapes], more: int) -> str | None:
    """The pattern where texts begin and end alike, with some of the classes in any order between."""
    prefix, suffix, classes = _common_prefix(batches), _common_suffix(batches), _classes(batches)
    every = {each for batch in batches for each in batch.shapes}
    if min(map(len, every)) < len(prefix) + len(suffix):
        suffix = ""
    inner = [each[len(prefix) : len(each) - len(suffix)] for each in every]
    chars, lengths = {*"".join(inner)}, [len(each) for each in inner]
    marks = sorted(chars - {*classes, OTHER})
    if not chars & {*classes} or OTHER in chars or len(marks) > _MARKS or any(map(str.isspace, marks)):
        return None
    if (CAPITAL in chars and SMALL in chars) or max(lengths) - min(lengths) > _MANY:
        return None
    listed = "".join(classes[char] for char in classes if char in chars)
    listed += "".join("\\" + mark if mark in r"\[]^-&~" else mark for mark in marks)
    return f"^{_escaped(prefix)}[{listed}]{_times(min(lengths), max(lengths), more)}{_escaped(suffix)}$"


def _classes(batches: Sequence[Shapes]) -> dict[str, str]:
    """What may stand between the brackets for each character of a shape that stands for others."""
    ranges = {span for batch in batches for span in batch.ranges}
    mixed = "".join(span for span in RANGES if span in ranges)
    mixed = mixed.replace("A-FG-Z", "A-Z").replace("a-fg-z", "a-z")
    return {**_CLASSES, ANY: mixed} if mixed else _CLASSES


def _run(listed: str, char: str, low: int, high: int, more: int) -> str:
    if listed or char == OTHER:
        return (f"[{listed}]" if listed else _LETTER) + _times(low, high, more) if high or more else ""
    return _escaped(char) * low if low == high else _escaped(char) + _times(low, high, more)


def _times(low: int, high: int, more: int) -> str:
    if high - low > _LOOSE:
        return "+" if low else "*"
    low, high = max(0, low - more), high + more
    if low == high:
        return f"{{{low}}}" if low != 1 else ""
    return f"{{{low},{high}}}"


def _common_prefix(batches: Sequence[Shapes]) -> str:
    return common(min(batch.prefix for batch in batches), max(batch.prefix for batch in batches))


def _common_suffix(batches: Sequence[Shapes]) -> str:
    backward = [batch.suffix[::-1] for batch in batches]
    return common(min(backward), max(backward))[::-1]


def _escaped(text: str) -> str:
    return _MEANT.sub(lambda found: "\\" + found[0], text)
