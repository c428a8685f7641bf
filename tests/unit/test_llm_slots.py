import subprocess
import sys
from pathlib import Path

import pytest

from agent.llm.slots import SLOTS, slot_of, take_slot
from agent.settings import Settings

pytestmark = pytest.mark.unit

_TAKE = (
    "import sys; from agent.llm.slots import take_slot; from agent.settings import Settings;"
    "from pathlib import Path;"
    "settings = Settings().model_copy(update={'cache_dir': Path(sys.argv[1])});"
    "print(take_slot(settings), flush=True); sys.stdin.read()"
)


def test_each_call_has_a_slot_of_its_own_until_its_process_ends(tmp_path: Path) -> None:
    def begin() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", _TAKE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def number(call: "subprocess.Popen[str]") -> str:
        assert call.stdout
        return call.stdout.readline().strip()

    def end(call: "subprocess.Popen[str]") -> None:
        call.kill()
        call.communicate(timeout=10)

    call = begin()
    try:
        first = number(call)
        settings = Settings().model_copy(update={"cache_dir": tmp_path})
        others = [take_slot(settings) for _ in range(SLOTS)]
        assert {first, *map(str, others)} == {*map(str, range(SLOTS)), "None"}
        end(call)
        assert str(take_slot(settings)) == first
        # The slots of another server are others.
        assert take_slot(settings.model_copy(update={"llm_port": 1})) == 0
    finally:
        end(call)


def test_a_request_without_a_slot_says_nothing_of_one() -> None:
    assert slot_of(None) == {}
    assert slot_of(1) == {"id_slot": 1}
