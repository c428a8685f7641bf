import pytest

from agent.errors import UserError
from agent.lan.access_code import new_code, same_code
from agent.settings import load

pytestmark = pytest.mark.unit


def test_codes_differ_and_are_long_enough() -> None:
    codes = {new_code() for _ in range(100)}
    assert len(codes) == 100
    assert all(len(code.replace("-", "")) >= 8 for code in codes)


def test_a_code_is_known_however_it_is_typed() -> None:
    assert same_code("ABCD 2345-efgh", "abcd-2345-efgh")


@pytest.mark.parametrize("given", ["", "abcd-2345-efg", "abcd-2345-efgh2", "é", "\udcff"])
def test_another_code_is_another_code(given: str) -> None:
    assert not same_code(given, "abcd-2345-efgh")


@pytest.mark.parametrize("value", ["short-1", "--------", "with a space", "ünïcödé12"])
def test_a_code_that_will_not_do_is_named_and_not_shown(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAN_ACCESS_CODE", value)
    with pytest.raises(UserError, match=r"^LAN_ACCESS_CODE must be 8 to 64 letters") as failure:
        load()
    assert value not in str(failure.value)
