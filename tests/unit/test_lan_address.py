import socket
from collections import namedtuple

import psutil
import pytest

from agent.errors import UserError
from agent.lan import address
from agent.lan.address import lan_address

pytestmark = pytest.mark.unit

Entry = namedtuple("Entry", "family address")
Stats = namedtuple("Stats", "isup")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> "Machine":
    return Machine(monkeypatch)


class Machine:
    """The network of the machine on which the test seems to run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.interfaces: dict[str, str] = {"lo": "127.0.0.1"}
        self.down: set[str] = set()
        self.route: str | None = None
        monkeypatch.setattr(psutil, "net_if_addrs", self._addresses)
        monkeypatch.setattr(psutil, "net_if_stats", self._stats)
        monkeypatch.setattr(address, "_default_route", lambda: self.route)

    def _addresses(self) -> dict[str, list[Entry]]:
        return {
            name: [Entry(socket.AF_INET6, "fe80::1"), Entry(socket.AF_INET, address)]
            for name, address in self.interfaces.items()
        }

    def _stats(self) -> dict[str, Stats]:
        return {name: Stats(name not in self.down) for name in self.interfaces}


def test_the_default_route_decides(machine: Machine) -> None:
    machine.interfaces |= {"eth0": "192.168.1.5", "docker0": "172.17.0.1"}
    machine.route = "192.168.1.5"
    assert lan_address(None) == "192.168.1.5"


def test_without_a_route_the_only_address_is_it(machine: Machine) -> None:
    machine.interfaces |= {"eth0": "192.168.1.5", "wlan0": "192.168.2.5"}
    machine.down = {"wlan0"}
    assert lan_address(None) == "192.168.1.5"


def test_several_addresses_are_named(machine: Machine) -> None:
    machine.interfaces |= {"eth0": "192.168.1.5", "wlan0": "192.168.2.5"}
    with pytest.raises(UserError, match=r"192\.168\.1\.5, 192\.168\.2\.5.*LAN_HOST"):
        lan_address(None)
    assert lan_address("192.168.2.5") == "192.168.2.5"


def test_a_machine_without_a_network_is_told_so(machine: Machine) -> None:
    with pytest.raises(UserError, match="no address on a local network"):
        lan_address(None)


def test_the_internet_is_let_in_only_on_request(machine: Machine) -> None:
    machine.interfaces["eth0"] = machine.route = "1.2.3.4"
    with pytest.raises(UserError, match=r"internet.*LAN_HOST"):
        lan_address(None)
    assert lan_address("1.2.3.4") == "1.2.3.4"


def test_an_address_of_another_machine_is_refused(machine: Machine) -> None:
    machine.interfaces["eth0"] = "192.168.1.5"
    with pytest.raises(UserError, match=r"^LAN_HOST is 192\.168\.1\.6, which is no address of"):
        lan_address("192.168.1.6")


def test_the_loopback_address_is_refused(machine: Machine) -> None:
    with pytest.raises(UserError, match=r"LAN_HOST is 127.0.0.1, which only this machine reaches"):
        lan_address("127.0.0.1")


def test_a_name_that_this_machine_alone_takes_for_loopback_is_looked_up_elsewhere(
    machine: Machine,
) -> None:
    machine.interfaces["eth0"] = "192.168.1.5"
    assert lan_address("localhost") == "192.168.1.5"


@pytest.mark.parametrize("name", ["no-such-name.invalid", "küche.lan", "a..b", "::1"])
def test_a_name_that_leads_nowhere_is_named(machine: Machine, name: str) -> None:
    with pytest.raises(UserError, match=r"LAN_HOST is '.*', a name without an IPv4 address"):
        lan_address(name)
