"""The receipt of one turn: when each stage began and ended, on one clock.

Each stage has a start and an end that were both observed; none is what the others leave over.
Stages may overlap, since some work is done before its turn has come. Zero is the end of the
caller's speech as it reached the agent; all times are milliseconds.

==========  =============================  =========================================================
stage       from                           to
==========  =============================  =========================================================
``uplink``  the caller stopped to speak    the end of the speech reached the agent
``vad``     the end of the speech          voice activity detection says so
``turn``    voice activity's word          the turn is decided to be over
``stt``     the end of the speech          the transcript that was answered is there
``llm``     the language model is asked    its first token
``clause``  the voice is opened            it has a clause to speak
``tts``     the voice has a clause         its first audio
``packet``  the first audio                its first packet is handed to the network
``output``  the first packet               the caller hears the first sound
==========  =============================  =========================================================

``uplink`` and ``output`` need a caller that reports what it heard; ``clause`` needs a voice that
tells when it begins. A stage that was not observed is left out.

The JSON form, one per turn as a data message on `RECEIPT_TOPIC` and as ``receipt`` in the log:
``version, turn, language, answered, heard, begin, end, stages`` (a list of ``name, start, end``),
``speculation`` (``asked, kept``), ``broke`` (the stage that made the turn miss its budget, or
null), ``budget`` (milliseconds by name), ``clock_error`` (how far off the caller's times may be)
and ``echo``: the caller's own times, ``stopped`` and ``heard``, as it reported them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

RECEIPT_TOPIC = "eloquence.receipt"
RECEIPTS_LOGGER = "agent.receipts"
VERSION = 1

StageName = Literal["uplink", "vad", "turn", "stt", "llm", "clause", "tts", "packet", "output"]
STAGES: tuple[StageName, ...] = get_args(StageName)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage; times in milliseconds from the end of the caller's speech."""

    name: StageName
    start: float
    end: float

    @property
    def duration(self) -> float:
        """How long it took, in milliseconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Speculation:
    """What was asked of the language model before the turn was over.

    Attributes:
        asked: How many answers were begun early.
        kept: Whether one of them was the answer that was spoken.
    """

    asked: int = 0
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Echo:
    """The caller's own times, as it reported them: milliseconds of its own clock."""

    stopped: float | None = None
    heard: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One turn; see the module for the fields.

    Attributes:
        turn: Number of the turn in its call, from 1.
        language: The language in which it was answered.
        answered: Whether there was any audio.
        heard: Whether the caller reported the first sound, at which `end` then lies.
        begin: End of the caller's speech: by the caller's own word (below 0), else 0.
        end: The first sound or, without a report, the first packet; None without an answer.
        stages: What was observed, in the order of `STAGES`.
        speculation: What was done before the turn was over.
        budget: Milliseconds allowed, by ``total`` and stage.
        broke: The stage that made the turn miss its budget; None if it did not.
        clock_error: How far off the caller's times may be; None without a report.
        echo: What the caller reported.
    """

    turn: int
    language: str
    answered: bool
    heard: bool
    begin: float
    end: float | None
    stages: tuple[Stage, ...]
    speculation: Speculation = Speculation()
    budget: Mapping[str, float] = field(default_factory=dict)
    broke: StageName | None = None
    clock_error: float | None = None
    echo: Echo = Echo()

    @property
    def total(self) -> float | None:
        """Milliseconds from the end of the caller's speech to the answer; None without one."""
        return None if self.end is None else self.end - self.begin

    def stage(self, name: StageName) -> Stage | None:
        """Return a stage, if it was observed."""
        return next((each for each in self.stages if each.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, times rounded to a tenth of a millisecond."""
        body = asdict(self)
        body["stages"] = [asdict(each) for each in self.stages]
        body["budget"] = dict(self.budget)
        return {"version": VERSION, **_rounded(body)}


def parse_receipt(body: object) -> Receipt:
    """Return the receipt with this JSON form.

    Raises:
        ValueError: It is not the JSON form of a receipt.
    """
    if not isinstance(body, Mapping):
        raise ValueError("not a receipt: no object")
    try:
        return _parse(body)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a receipt ({type(error).__name__}: {error})") from None


def _parse(body: Mapping[str, Any]) -> Receipt:
    if body["version"] != VERSION:
        raise ValueError(f"a receipt of version {body['version']}, not {VERSION}")
    return Receipt(
        turn=int(body["turn"]),
        language=str(body["language"]),
        answered=bool(body["answered"]),
        heard=bool(body["heard"]),
        begin=float(body["begin"]),
        end=_number(body["end"]),
        stages=tuple(
            Stage(_stage_name(each["name"]), float(each["start"]), float(each["end"]))
            for each in body["stages"]
        ),
        speculation=Speculation(
            int(body["speculation"]["asked"]), bool(body["speculation"]["kept"])
        ),
        budget={str(name): float(value) for name, value in body["budget"].items()},
        broke=None if body["broke"] is None else _stage_name(body["broke"]),
        clock_error=_number(body["clock_error"]),
        echo=Echo(_number(body["echo"]["stopped"]), _number(body["echo"]["heard"])),
    )


def _stage_name(name: object) -> StageName:
    for known in STAGES:
        if name == known:
            return known
    raise ValueError(f"{name!r} is no stage")


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _rounded(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _round(value) for name, value in body.items()}


def _round(value: object) -> object:
    if isinstance(value, float):
        return round(value, 1)
    if isinstance(value, dict):
        return _rounded(value)
    return [_round(each) for each in value] if isinstance(value, list) else value
