"""The JSON Schema of plan documents (draft 2020-12), for editors.

Derived from the vocabulary. It knows the shape of a document; ``check`` knows whether it makes sense.
"""

from __future__ import annotations

from typing import Any

import yaml

from rangli.plan.kinds import (
    ByKey,
    Choice,
    Field,
    Flag,
    Kind,
    ListOf,
    MapOf,
    Multiple,
    Name,
    Party,
    Percent,
    RateOf,
    Section,
    Text,
    Whole,
    Yuan,
)
from rangli.plan.vocabulary import FUND, FUND_PREFIX, PLAN

Schema = dict[str, Any]

_PERCENT = r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,2})?%"
_NUMBER = r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?$"


def schema() -> Schema:
    """The schema of a whole document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_of(PLAN), "title": "Rangli plan"}


def _of(kind: Kind) -> Schema:
    """The schema of one kind of value. Numbers may also be written as text, which is how they are read."""
    match kind:
        case Text(length_max):
            return {"type": "string", "minLength": 1, "maxLength": length_max}
        case Name(pattern):
            return {"type": "string", "pattern": f"^{pattern}$"}
        case Whole(low, high):
            return {"type": ["integer", "string"], "minimum": low, "maximum": high, "pattern": "^(0|[1-9][0-9]{0,9})$"}
        case Yuan(fen_min=0):
            return {"type": ["number", "string"], "minimum": 0, "pattern": _NUMBER}
        case Yuan() | Multiple():
            return {"type": ["number", "string"], "exclusiveMinimum": 0, "pattern": _NUMBER}
        case Percent():
            return {"type": "string", "pattern": f"^{_PERCENT}$"}
        case Choice(options):
            return {"enum": list(options)}
        case Flag():
            return {"type": "boolean"}
        case Party(names, funds):
            named: Schema = {"enum": list(names)}
            return {"anyOf": [named, {"type": "string", "pattern": f"^{FUND_PREFIX}{FUND.pattern}$"}]} if funds else named
        case RateOf(bases, slide):
            text = {"type": "string", "pattern": f"^{_PERCENT} +of +({'|'.join(bases)})$"}
            return {"anyOf": [text, _of(slide)]} if slide else text
        case ListOf(item, length_max, length_min):
            return {"type": "array", "items": _of(item), "minItems": length_min, "maxItems": length_max}
        case MapOf(item, length_max):
            return {"type": "object", "additionalProperties": _of(item), "maxProperties": length_max}
        case ByKey(_, section, otherwise):
            return {"anyOf": [_of(otherwise), _of(section)]}
        case Section(title, _, fields):
            return {
                "type": "object",
                "title": title,
                "properties": {field.key: _property(field) for field in fields},
                "required": [field.key for field in fields if field.required],
                "additionalProperties": False,
            }


def _property(field: Field) -> Schema:
    """The schema of one key, with its words and default."""
    found = {**_of(field.kind), "description": f"{field.zh} / {field.en}"}
    if field.default is not None:
        found["default"] = yaml.safe_load(field.default)
    return found
