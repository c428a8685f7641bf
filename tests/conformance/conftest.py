"""What the conformance tests share."""

from collections.abc import Iterator

import pytest

from tests.conformance.servers import Servers, running_servers


@pytest.fixture(scope="package")
def servers() -> Iterator[Servers]:
    """The server of a plugin, started on demand."""
    with running_servers() as servers:
        yield servers
