"""Prometheus metrics of the engine, served on ``/metrics``."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
