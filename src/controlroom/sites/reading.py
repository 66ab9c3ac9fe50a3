"""Reads the report that `controlroom network check --format json` writes, which comes from people: bounded and checked."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from controlroom.sites.errors import Refused, SiteTooLarge

LARGEST_REPORT_BYTES = 4 * 1024 * 1024
MOST_ANSWERS = 5_000

Word = Annotated[str, Field(max_length=200)]
Sentence = Annotated[str, Field(max_length=2_000)]


class Probed(BaseModel):
    """What became of one probe."""

    model_config = ConfigDict(extra="ignore")

    flow: Word
    purpose: Sentence = ""
    destination: Word
    host: Word
    transport: Word
    port: Annotated[int, Field(ge=0, le=65_535)]
    probe: Word
    expected: Literal["open", "closed"]
    verdict: Word
    judgement: Word
    evidence: Sentence
    advice: Sentence = ""
    seconds: Annotated[float, Field(ge=0)] = 0.0


class Disagreed(BaseModel):
    """A proof and a probe that disagree."""

    model_config = ConfigDict(extra="ignore")

    packet: Word
    rule: Sentence = ""
    message: Sentence


class ProbeReport(BaseModel):
    """What one round of probes from one host found."""

    model_config = ConfigDict(extra="ignore")

    site: Word
    source: Annotated[str, Field(min_length=1, max_length=200)]
    holds: bool
    answers: Annotated[list[Probed], Field(max_length=MOST_ANSWERS)]
    disagreements: Annotated[list[Disagreed], Field(max_length=MOST_ANSWERS)] = []
    notes: Annotated[list[Sentence], Field(max_length=200)] = []


def read_report(content: str | bytes) -> ProbeReport:
    """Return the report; raise `SiteTooLarge` or `Refused` with the place of the first fault."""
    if len(content) > LARGEST_REPORT_BYTES:
        raise SiteTooLarge(f"The report is larger than {LARGEST_REPORT_BYTES // 1024 // 1024} MiB.")
    try:
        return ProbeReport.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(str(part) for part in first["loc"]) or "the whole file"
        raise Refused(
            f"This is no report of 'controlroom network check --format json': {where}: {first['msg']}."
        ) from None
