"""The program `piper`: one line of text in, one WAV file out."""

import queue
import shutil
import subprocess
import tempfile
import threading
import wave
from pathlib import Path

import numpy as np
from livekit.plugins.local.engine.tts.base import Cancellation, Samples
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.packages import PIPER

# Loading the voice included.
_CLAUSE_SECONDS = 20.0


def piper_path() -> str:
    """Return the path of `piper`.

    Raises:
        EngineError: It is not installed.
    """
    path = shutil.which(PIPER.program)
    if path is None:
        raise PIPER.error()
    return path


class PiperProgram:
    """A running `piper` that holds one voice.

    It writes a file per line and says so; therefore it can be asked again and again, and what it
    still says about a clause that was cancelled can be told from the answer to the next one.

    Args:
        path: The program.
        model: The voice.
        speed: 1.0 is the voice's own rate.
    """

    def __init__(self, path: str, model: Path, speed: float) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="eloquence-piper-")
        command = [path, "--model", str(model), "--output_dir", self._folder.name]
        try:
            self._process = subprocess.Popen(
                [*command, "--length_scale", f"{1 / speed:.3f}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            self._folder.cleanup()
            raise EngineError("failed", f"piper does not run: {error}") from error
        self._answers: queue.Queue[Path | None] = queue.Queue()
        # How many answers belong to clauses that nobody waits for any more.
        self._stale = 0
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, name="piper-output", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def speak(self, text: str, cancel: Cancellation) -> Samples | None:
        """Speak one line.

        Returns:
            The audio at the voice's rate; None if cancelled.

        Raises:
            EngineError: The program failed or hangs; it has been stopped.
        """
        assert self._process.stdin
        interrupted = threading.Event()

        def interrupt() -> None:
            interrupted.set()
            self._answers.put(None)

        try:
            # Double brackets would switch to phoneme mnemonics.
            line = " ".join(text.replace("[[", "[ [").split())
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            with cancel.calling(interrupt):
                file = self._await(interrupted)
            if file is None:
                return None
            return _samples(file)
        except (OSError, EOFError, ValueError, wave.Error, queue.Empty) as error:
            self.close()
            raise EngineError(
                "failed",
                "piper could not speak: "
                f"{'it hangs' if isinstance(error, queue.Empty) else error or 'it ended'}.",
                retryable=True,
            ) from error

    def close(self) -> None:
        """Stop the program."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    continue  # What was still to be written: nobody reads it.
        self._folder.cleanup()

    def _await(self, interrupted: threading.Event) -> Path | None:
        """Return the file of the last line; None if interrupted."""
        while True:
            answer = self._answers.get(timeout=_CLAUSE_SECONDS)
            if answer is not None:
                if not self._stale:
                    return answer
                self._stale -= 1
                answer.unlink(missing_ok=True)
            elif interrupted.is_set():
                self._stale += 1
                return None
            elif self._ended.is_set():
                raise EOFError("it ended")

    def _read(self) -> None:
        """Pass on the files of which the program tells, on its output or in its log."""
        assert self._process.stdout
        folder = self._folder.name
        for line in self._process.stdout:
            _, found, name = line.rstrip().partition(folder)
            if found and name.endswith(".wav"):
                self._answers.put(Path(folder + name))
        self._ended.set()
        self._answers.put(None)


def _samples(file: Path) -> Samples:
    """Read and remove a WAV file."""
    with wave.open(str(file)) as audio:
        pcm = audio.readframes(audio.getnframes())
    file.unlink()
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
