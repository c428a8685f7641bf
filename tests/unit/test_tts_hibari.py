import pytest
from hibari.g2p.normalize import normalize
from livekit.plugins.local.engine.tts.hibari import without_zeroth

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Queen Victoria met King Charles III in Chapter IV.", "Charles the third in Chapter 4"),
        ("Queen Letizia", "Queen Letizia"),
    ],
)
def test_names_after_titles_are_no_numerals(text: str, read: str) -> None:
    spoken = normalize(without_zeroth(text)).replace("\N{WORD JOINER}", "")
    assert read in spoken
    assert "zeroth" not in spoken
    # The day that Hibari no longer needs it, this can go.
    assert "zeroth" in normalize(text)
