"""Work of the lab for tests of its pages: a worker imports it by name."""

from __future__ import annotations

from msgspec import structs

from rangli.lab.claims import SAID_WORDS, check_claims
from rangli.plan.parts import Words
from rangli.service.work.lab import Tests, untested
from rangli.service.work.worker import Progress


def few_claims(_: Progress) -> Tests:
    """All claims as another version left them, of which one, that needs no engine, has been tested."""
    verdicts = {found.claim: found for found in check_claims(("packets-every-day",))}
    those = [
        structs.replace(
            one, verdict=found.verdict, verdict_words=Words(*SAID_WORDS[found.verdict]), found=Words(found.zh, found.en)
        )
        if (found := verdicts.get(one.claim))
        else structs.replace(one, verdict="no-figure", verdict_words=Words(*SAID_WORDS["no-figure"]))
        for one in untested()
    ]
    return Tests("an older version", those)
