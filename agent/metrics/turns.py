"""Counting turns, in the worker's process.

A job's process lives as long as its call. What it counted itself would have to be collected when
it ends, or be lost when it is killed. It counts nothing: each receipt reaches the worker's process
as a log record, by the framework's way for log records, and whoever writes that line counts it as
well. So the counts are those of the turns in the log, whatever becomes of the jobs.
"""

import logging
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram

from agent.receipts.receipt import RECEIPTS_LOGGER, STAGES, Receipt, parse_receipt

# Close to each other where the budgets are, in seconds.
_STAGE_SECONDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0)
_TURN_SECONDS = (0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 1.8, 2.2, 3.0, 5.0, 10.0)
# One more label for each would be one more series for each of a caller's inventions.
_REASONS = frozenset({"malformed", "too_many", "no_clock", "implausible", "late"})


class TurnMetrics:
    """Turns and their stages."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._turns = Counter(
            "eloquence_turns_total",
            "Turns of callers, by whether they got an answer, and whether within their budget",
            ["language", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "eloquence_turn_seconds",
            "From the end of the caller's speech to the answer: to the first sound at the caller's "
            "ear where the caller reports it, else to the first packet",
            ["language", "until"],
            buckets=_TURN_SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "eloquence_turn_stage_seconds",
            "Stages of the turns; they overlap",
            ["stage"],
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self._misses = Counter(
            "eloquence_budget_misses_total",
            "Turns that took longer than their budget, by the stage that took too long",
            ["stage"],
            registry=registry,
        )
        self._speculation = Counter(
            "eloquence_speculation_total",
            "Answers begun before the turn was over: kept, or thrown away",
            ["outcome"],
            registry=registry,
        )
        self._ignored = Counter(
            "eloquence_caller_reports_ignored_total",
            "What callers reported of their ears and was not believed",
            ["reason"],
            registry=registry,
        )
        # Series that exist from the beginning: a rate needs a zero to rise from.
        for stage in STAGES:
            self._misses.labels(stage)
            self._stages.labels(stage)
        for outcome in ("kept", "wasted"):
            self._speculation.labels(outcome)
        for reason in _REASONS:
            self._ignored.labels(reason)

    def count(self, receipt: Receipt) -> None:
        """Count a turn."""
        total = receipt.total
        if total is None:
            outcome = "unanswered"
        else:
            outcome = "late" if receipt.broke else "in_time"
            until = "heard" if receipt.heard else "sent"
            self._seconds.labels(receipt.language, until).observe(max(0.0, total) / 1000)
        self._turns.labels(receipt.language, outcome).inc()
        for stage in receipt.stages:
            self._stages.labels(stage.name).observe(max(0.0, stage.duration) / 1000)
        if receipt.broke:
            self._misses.labels(receipt.broke).inc()
        kept = int(receipt.speculation.kept)
        self._speculation.labels("kept").inc(kept)
        self._speculation.labels("wasted").inc(max(0, receipt.speculation.asked - kept))

    def count_ignored(self, ignored: Mapping[str, int]) -> None:
        """Count reports that were ignored, by reason."""
        for reason, times in ignored.items():
            if reason in _REASONS:
                self._ignored.labels(reason).inc(times)


class ReceiptCounter(logging.Handler):
    """Counts the receipts among the log records of a process."""

    def __init__(self, metrics: TurnMetrics) -> None:
        super().__init__()
        self._metrics = metrics

    def emit(self, record: logging.LogRecord) -> None:
        """Count the receipt that the record carries, if it carries one."""
        try:
            if isinstance(receipt := getattr(record, "receipt", None), dict):
                self._metrics.count(parse_receipt(receipt))
            if isinstance(ignored := getattr(record, "ignored", None), dict):
                self._metrics.count_ignored(ignored)
        except ValueError:
            self.handleError(record)


def count_receipts(metrics: TurnMetrics) -> None:
    """Count the receipts that are logged in this process from now on, whatever `LOG_LEVEL` is."""
    logger = logging.getLogger(RECEIPTS_LOGGER)
    logger.setLevel(logging.INFO)
    logger.handlers[:] = [ReceiptCounter(metrics)]
