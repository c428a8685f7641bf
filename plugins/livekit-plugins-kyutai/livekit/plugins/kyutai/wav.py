"""A WAV file that is still being written: its sizes are not known, and mean nothing."""

from livekit.plugins.kyutai.messages import SAMPLE_RATE, ProtocolError

_LONGEST_HEADER = 4096
_FORMAT = bytes.fromhex("0100 0100") + SAMPLE_RATE.to_bytes(4, "little")
"""PCM, one channel, the rate."""


class WavReader:
    """Takes a WAV file in pieces, cut anywhere, and returns its samples, s16le."""

    def __init__(self) -> None:
        self._pending = b""
        self._in_data = False

    def push(self, piece: bytes) -> bytes:
        """Return the whole samples that can be returned now.

        Raises:
            ProtocolError: It is no WAV file, or not 16-bit mono at `SAMPLE_RATE`.
        """
        data = self._pending + piece
        if not self._in_data:
            start = self._data_start(data)
            if start is None:
                self._pending = data
                return b""
            self._in_data = True
            data = data[start:]
        whole = len(data) - len(data) % 2
        self._pending = data[whole:]
        return data[:whole]

    @staticmethod
    def _data_start(data: bytes) -> int | None:
        """Return where the samples begin; None if that is still to come."""
        if data[:4] != b"RIFF"[: len(data)] or data[8:12] != b"WAVE"[: max(0, len(data) - 8)]:
            raise ProtocolError("the speech that came is no WAV file")
        at = 12
        while at + 8 <= len(data):
            size = int.from_bytes(data[at + 4 : at + 8], "little")
            if data[at : at + 4] == b"data":
                return at + 8
            if data[at : at + 4] == b"fmt " and len(data) >= at + 24:
                bits = data[at + 22 : at + 24]
                if data[at + 8 : at + 16] != _FORMAT or bits != b"\x10\x00":
                    raise ProtocolError(f"the speech is not 16-bit mono at {SAMPLE_RATE} Hz")
            at += 8 + size
        if len(data) > _LONGEST_HEADER or at > _LONGEST_HEADER:
            raise ProtocolError("the speech that came is no WAV file")
        return None
