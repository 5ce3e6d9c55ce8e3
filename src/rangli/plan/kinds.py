"""Kinds of value that a plan document is made of. A kind says what is sound; ``document`` reads it, ``schema`` describes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rangli.money import BP_PER_ONE, print_percent, print_ratio, print_yuan


@dataclass(frozen=True)
class Text:
    """Free text."""

    length_max: int = 400


@dataclass(frozen=True)
class Name:
    """A short name that matches a pattern."""

    pattern: str
    example: str
    zh: str
    en: str


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    low: int
    high: int


@dataclass(frozen=True)
class Yuan:
    """An amount in yuan; read as fen."""

    fen_min: int
    fen_max: int


@dataclass(frozen=True)
class Multiple:
    """A number of times, at most two decimals; read as basis points."""

    bp_min: int
    bp_max: int


@dataclass(frozen=True)
class Percent:
    """A percentage; read as basis points."""

    bp_min: int = 0
    bp_max: int = BP_PER_ONE


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]


@dataclass(frozen=True)
class Flag:
    """true or false."""


@dataclass(frozen=True)
class Party:
    """A party's name, and ``fund.<name>`` where funds may stand."""

    names: tuple[str, ...]
    funds: bool = False


@dataclass(frozen=True)
class RateOf:
    """``<percentage> of <base>``, or a mapping that says how the rate slides."""

    bases: tuple[str, ...]
    slide: Section | None = None


@dataclass(frozen=True)
class ListOf:
    """A list."""

    item: Kind
    length_max: int
    length_min: int = 0


@dataclass(frozen=True)
class MapOf:
    """A mapping from merchants' names."""

    item: Kind
    length_max: int


@dataclass(frozen=True)
class Section:
    """A mapping with known keys."""

    title: str
    into: Callable[..., Any]
    """Built from the fields' values, each under its ``attribute``."""
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class ByKey:
    """One of two sections: ``section`` if the mapping has ``key``, else ``otherwise``."""

    key: str
    section: Section
    otherwise: Section


Kind = Text | Name | Whole | Yuan | Multiple | Percent | Choice | Flag | Party | RateOf | ListOf | MapOf | Section | ByKey


@dataclass(frozen=True)
class Field:
    """One key of a section."""

    key: str
    attribute: str
    kind: Kind
    zh: str
    en: str
    required: bool = False
    default: str | None = None
    """As one would write it in the document; None and not required: there is no such thing unless it is written."""


def words(kind: Kind) -> tuple[str, str]:
    """What a value of this kind looks like, in Chinese and English."""
    match kind:
        case Text(length_max):
            return f"文字,1 到 {length_max} 字", f"text, 1 to {length_max} characters"
        case Name(_, example, zh, en):
            return f"{zh},如 {example}", f"{en}, as {example}"
        case Whole(low, high):
            return f"{low} 到 {high} 的整数", f"a whole number from {low} to {high}"
        case Yuan(low, high):
            return (
                f"金额(元),最多两位小数,{print_yuan(low)} 到 {print_yuan(high)}",
                f"an amount in yuan, at most two decimals, {print_yuan(low)} to {print_yuan(high)}",
            )
        case Multiple(low, high):
            low_text, high_text = print_ratio(low, BP_PER_ONE, 2), print_ratio(high, BP_PER_ONE, 2)
            return f"倍数,最多两位小数,{low_text} 到 {high_text}", f"a number, at most two decimals, {low_text} to {high_text}"
        case Percent(low, high):
            span = f"{print_percent(low)} 到 {print_percent(high)}"
            return (
                f"百分比,{span},最细 0.01%",
                f"a percentage from {print_percent(low)} to {print_percent(high)}, 0.01% the finest",
            )
        case Choice(options):
            return "、".join(options) + " 之一" if options[1:] else options[0], " or ".join(options)
        case Flag():
            return "true 或 false", "true or false"
        case Party(names, funds):
            listed = [*names, "fund.<名称>"] if funds else list(names)
            return "、".join(listed) + " 之一", "one of " + ", ".join([*names, "fund.<name>"] if funds else names)
        case RateOf(bases, slide):
            zh = " 或 ".join(f"<百分比> of {base}" for base in bases)
            en = " or ".join(f"<percentage> of {base}" for base in bases)
            return (f"{zh},或滑动费率 {{of, by, from, to}}", f"{en}, or a sliding {{of, by, from, to}}") if slide else (zh, en)
        case ListOf(item, high, low):
            zh, en = words(item)
            count = f"{low}" if low == high else f"{low}-{high}"
            return f"列表({count} 项),每项为 {zh}", f"a list ({count} entries), each {en}"
        case MapOf(item, _):
            zh, en = words(item)
            return f"商家名到 {zh} 的映射", f"a mapping from merchants' names to {en}"
        case Section(_, _, fields):
            keys = ", ".join(field.key for field in fields)
            return f"映射 {{{keys}}}", f"a mapping {{{keys}}}"
        case ByKey(_, section, otherwise):
            first, second = words(otherwise), words(section)
            return f"{first[0]} 或 {second[0]}", f"{first[1]} or {second[1]}"
