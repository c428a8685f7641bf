"""Sound in which nobody says anything, made anew and alike on every machine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from agent.bench.corpus import RATE
from agent.caller.onset import Pcm

SECONDS = 4.0
_Sound = NDArray[np.float64]
_TIME = np.arange(round(SECONDS * RATE)) / RATE
_DTMF_LOW, _DTMF_HIGH = (697, 770, 852, 941), (1209, 1336, 1477)


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """One such recording: int16 samples at 16 kHz."""

    name: str
    pcm: Pcm


@cache
def sounds() -> tuple[Sound, ...]:
    """Return 66 sounds of 4 s: hum, clicks, DTMF, noise, room tone, chords, tones, typing, wind."""
    made = chain(
        _series("hum", 8, _hum),
        _series("clicks", 8, _clicks),
        _series("dtmf", 8, _dtmf),
        _series("white", 4, lambda random, index: _level(_coloured(random, 0.0), -50 + 10 * index)),
        _series("pink", 4, lambda random, index: _level(_coloured(random, 0.5), -50 + 10 * index)),
        _series("brown", 4, lambda random, index: _level(_coloured(random, 1.0), -50 + 10 * index)),
        _series("room", 6, lambda random, index: _level(_coloured(random, 0.7), -75 + 5 * index)),
        _series("chords", 8, _chords),
        _series("ringing", 6, _ringing),
        _series("typing", 5, _typing),
        _series("wind", 5, _wind),
    )
    return tuple(made)


def _series(
    kind: str, count: int, make: Callable[[np.random.Generator, int], _Sound]
) -> Iterator[Sound]:
    for index in range(count):
        random = np.random.default_rng([sum(kind.encode()), index])
        pcm = np.clip(make(random, index), -1, 1) * 32767
        yield Sound(f"{kind}-{index}", np.asarray(np.rint(pcm), np.int16))


def _level(sound: _Sound, dbfs: float) -> _Sound:
    rms = float(np.sqrt(np.mean(np.square(sound))))
    return sound * (10 ** (dbfs / 20) / max(rms, 1e-12))


def _coloured(random: np.random.Generator, tilt: float) -> _Sound:
    """Return noise whose amplitude falls with the frequency to the power of ``tilt``."""
    spectrum = np.fft.rfft(random.normal(size=len(_TIME)))
    bins = np.maximum(np.arange(len(spectrum)), 20 * SECONDS)
    return np.asarray(np.fft.irfft(spectrum / bins**tilt, len(_TIME)))


def _hum(random: np.random.Generator, index: int) -> _Sound:
    base = (50, 60)[index % 2]
    parts = [
        np.sin(2 * np.pi * base * number * _TIME + random.uniform(0, 6.3)) / number**1.5
        for number in range(1, 12)
    ]
    return _level(np.sum(parts, axis=0), -42 + 4 * (index // 2)) + _level(
        _coloured(random, 0.5), -65
    )


def _bursts(random: np.random.Generator, times: _Sound, length: float, sharpness: float) -> _Sound:
    """Return decaying bursts of noise at these seconds."""
    sound = np.zeros(len(_TIME))
    size = round(length * RATE)
    decay = np.exp(-sharpness * np.arange(size) / size)
    for at in (times * RATE).astype(int):
        burst = random.normal(size=size) * decay
        sound[at : at + size] += burst[: len(sound) - at]
    return sound


def _clicks(random: np.random.Generator, index: int) -> _Sound:
    times = np.sort(random.uniform(0, SECONDS - 0.1, 4 + 4 * index))
    return 0.25 * _bursts(random, times, 0.004, 6.0) + _level(_coloured(random, 0.5), -60)


def _typing(random: np.random.Generator, index: int) -> _Sound:
    gaps = random.uniform(0.08, 0.35, 40)
    times = np.cumsum(gaps)
    strokes = times[times < SECONDS - 0.1]
    loudness = 0.03 * (index + 1)
    return loudness * _bursts(random, strokes, 0.03, 8.0) + _level(_coloured(random, 0.6), -58)


def _dtmf(random: np.random.Generator, index: int) -> _Sound:
    sound = np.zeros(len(_TIME))
    length = 0.08 + 0.02 * index
    for begin in np.arange(0.3, SECONDS - 0.5, length + 0.12):
        pressed = (begin <= _TIME) & (begin + length > _TIME)
        low, high = random.choice(_DTMF_LOW), random.choice(_DTMF_HIGH)
        tones = np.sin(2 * np.pi * low * _TIME) + np.sin(2 * np.pi * high * _TIME)
        sound += 0.15 * pressed * tones
    return sound + _level(_coloured(random, 0.5), -60)


def _chords(random: np.random.Generator, index: int) -> _Sound:
    """Return chords of struck strings, one every half second."""
    sound = np.zeros(len(_TIME))
    for beat in np.arange(0.0, SECONDS, 0.5):
        age = np.maximum(_TIME - beat, 0.0)
        envelope = (beat <= _TIME) * np.exp(-3.0 * age)
        root = 48 + index + int(random.choice([0, 5, 7, 9]))
        for interval in (0, int(random.choice([3, 4])), 7, 12):
            hertz = 440 * 2 ** ((root + interval - 69) / 12)
            for harmonic in (1, 2, 3, 4):
                sound += envelope * np.sin(2 * np.pi * hertz * harmonic * age) / harmonic**2
    return _level(sound, -30 + 2 * (index % 4))


def _ringing(random: np.random.Generator, index: int) -> _Sound:
    """Return dial, busy and ringing tones of several countries."""
    first, second, on, period = [
        (440, 480, 2.0, 6.0),
        (480, 620, 0.5, 1.0),
        (350, 440, 4.0, 4.0),
        (425, 425, 1.0, 5.0),
        (440, 440, 0.5, 1.0),
        (1000, 1400, 0.2, 0.6),
    ][index]
    tone = np.sin(2 * np.pi * first * _TIME) + np.sin(2 * np.pi * second * _TIME)
    return 0.1 * tone * (_TIME % period < on) + _level(_coloured(random, 0.5), -60)


def _wind(random: np.random.Generator, index: int) -> _Sound:
    gusts = 1.0 + 0.8 * np.sin(2 * np.pi * (0.2 + 0.1 * index) * _TIME + random.uniform(0, 6.3))
    return _level(gusts * _coloured(random, 1.0), -40 + 4 * index)
