"""The report, for people and for programs."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agent.doctor.advice import Advice
from agent.doctor.finding import Finding
from agent.doctor.runner import Examination

_INDENT = " " * 6


def as_text(examination: Examination, advice: Advice | None) -> str:
    """Return a line for each check, with the remedy below it, and the estimate."""
    findings = examination.findings
    width = max(map(len, findings), default=0)
    lines = [_line(name, width, finding) for name, finding in findings.items()]
    if examination.not_checked:
        told = [f"{name} (needs {why})" for name, why in examination.not_checked.items()]
        lines.append(f"\nNot checked: {', '.join(told)}.")
    lines.append("")
    lines += _capacity(advice)
    count = {level: _count(findings, level) for level in ("ok", "warn", "fail")}
    lines.append(f"{count['ok']} ok, {count['warn']} warn, {count['fail']} fail.")
    return "\n".join(lines)


def as_json(examination: Examination, advice: Advice | None, seconds: float) -> str:
    """Return everything as one JSON object."""
    body: dict[str, Any] = {
        "healthy": examination.healthy,
        "seconds": round(seconds, 1),
        "checks": {name: asdict(finding) for name, finding in examination.findings.items()},
        "not_checked": dict(examination.not_checked),
        "capacity": None if advice is None else _capacity_object(advice),
    }
    return json.dumps(body, ensure_ascii=False)


def _line(name: str, width: int, finding: Finding) -> str:
    text = f"{finding.level:<4}  {name:<{width}}  {finding.found}."
    return f"{text}\n{_INDENT}{'':<{width}}  → {finding.remedy}." if finding.remedy else text


def _count(findings: Mapping[str, Finding], level: str) -> int:
    return sum(finding.level == level for finding in findings.values())


def _capacity(advice: Advice | None) -> list[str]:
    if advice is None:
        return ["Capacity: unknown, because not everything could be measured."]
    expected = advice.estimate
    use = " ".join(f"{name}={value}" for name, value in advice.settings.items())
    last = expected.latencies[-1]
    if not expected.calls:
        told = (
            f"no call within {expected.budget:g} s from the end of speech to the answer; one alone "
            f"is answered after about {last:.1f} s"
        )
    else:
        calls = f"{expected.calls} simultaneous call{'s' if expected.calls > 1 else ''}"
        told = f"{calls} within {expected.budget:g} s from the end of speech to the answer"
        if len(expected.latencies) > expected.calls:
            told += f"; one more: about {last:.1f} s"
    parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in expected.parts.items())
    return [
        f"Capacity (estimated): {told}.",
        f"{_INDENT}A turn alone: {parts}.",
        f"{_INDENT}Use {use}.",
        f"{_INDENT}For more: {advice.hint}.",
    ]


def _capacity_object(advice: Advice) -> dict[str, Any]:
    expected = advice.estimate
    return {
        "calls": expected.calls,
        "budget_seconds": expected.budget,
        "latency_seconds": [round(each, 3) for each in expected.latencies],
        "turn_seconds": {name: round(each, 3) for name, each in expected.parts.items()},
        "settings": dict(advice.settings),
        "hint": advice.hint,
    }
