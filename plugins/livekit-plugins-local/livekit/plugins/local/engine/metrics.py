"""Prometheus metrics of the engine, served on ``/metrics``."""

from livekit.plugins.local.readiness import STATES, Readiness
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram

REGISTRY = CollectorRegistry()

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)

STREAMS = Gauge("eloquence_engine_streams", "Open streams", ["kind"], registry=REGISTRY)
QUEUE_DEPTH = Gauge(
    "eloquence_engine_queue_depth", "Jobs that wait for a model", ["model"], registry=REGISTRY
)
QUEUE_WAIT = Histogram(
    "eloquence_engine_queue_wait_seconds",
    "Time a job waited for its model",
    ["model", "kind"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
BATCH_SIZE = Histogram(
    "eloquence_engine_batch_size",
    "Jobs that shared one call to their model",
    ["model", "kind"],
    buckets=(1, 2, 3, 4, 6, 8),
    registry=REGISTRY,
)
RUN_TIME = Histogram(
    "eloquence_engine_run_seconds",
    "Time a call to a model took",
    ["model", "kind"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
DROPPED = Counter(
    "eloquence_engine_dropped_total",
    "Jobs and transcripts that were dropped",
    ["model", "reason"],
    registry=REGISTRY,
)
RETRIED = Counter(
    "eloquence_engine_retried_total",
    "Utterances decoded a second time, with the full context",
    ["model", "reason"],
    registry=REGISTRY,
)
FIRST_AUDIO = Histogram(
    "eloquence_engine_first_audio_seconds",
    "Time from the first complete clause to its first audio",
    ["voice"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
SPECULATION = Counter(
    "eloquence_engine_speculation_total",
    "Transcripts decoded before the turn was over, by what became of them",
    ["outcome"],
    registry=REGISTRY,
)
PREFLIGHT = Counter(
    "eloquence_engine_preflight_total",
    "Transcripts announced before the turn was over, by what became of them",
    ["outcome"],
    registry=REGISTRY,
)
VOICE_STATE = Gauge(
    "eloquence_engine_voice_breaker",
    "Whether a voice engine is asked: 0 always, 1 being probed, 2 not at all",
    ["engine"],
    registry=REGISTRY,
)
VOICE_FAILURES = Counter(
    "eloquence_engine_voice_failures_total",
    "Clauses that a voice engine did not speak to their end",
    ["engine", "reason"],
    registry=REGISTRY,
)
STAND_INS = Counter(
    "eloquence_engine_voice_stand_ins_total",
    "Clauses that were spoken by an engine other than the chosen one",
    ["engine", "by"],
    registry=REGISTRY,
)
CLAUSES_CUT = Counter(
    "eloquence_engine_clauses_cut_total",
    "Clauses that broke off in mid-audio; the next one follows",
    ["engine"],
    registry=REGISTRY,
)
CACHE_LOOKUPS = Counter(
    "eloquence_engine_phrase_cache_total",
    "Clauses looked up in the phrase cache: found, being made for another call, or missing",
    ["outcome"],
    registry=REGISTRY,
)
CACHE_BYTES = Gauge(
    "eloquence_engine_phrase_cache_bytes", "Audio in the phrase cache", registry=REGISTRY
)
COMPONENT = Enum(
    "eloquence_engine_component",
    "State of a part of the engine, as on /readyz",
    ["component"],
    states=STATES,
    registry=REGISTRY,
)
DOWNLOADED = Gauge(
    "eloquence_engine_download_bytes",
    "Bytes of a part that are there while it is being downloaded",
    ["component"],
    registry=REGISTRY,
)
DOWNLOAD_SIZE = Gauge(
    "eloquence_engine_download_size_bytes",
    "Bytes of a part that there will be",
    ["component"],
    registry=REGISTRY,
)


def show_components(readiness: Readiness) -> None:
    """Set the metrics that tell what ``/readyz`` tells."""
    for metric in (COMPONENT, DOWNLOADED, DOWNLOAD_SIZE):
        metric.clear()
    for name, part in readiness.components.items():
        COMPONENT.labels(name).state(part.state)
        if part.done is not None and part.total is not None:
            DOWNLOADED.labels(name).set(part.done)
            DOWNLOAD_SIZE.labels(name).set(part.total)
