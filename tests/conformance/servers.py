"""The running servers, shared by all cases."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from tests.conformance.kit import Backend, PluginUnderTest

Servers = Callable[[PluginUnderTest], Backend]


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Return the server of a plugin, on demand; each kind is started once."""
    running: dict[Callable[[], AbstractContextManager[Backend]], Backend] = {}
    with ExitStack() as stack:

        def server(plugin: PluginUnderTest) -> Backend:
            if plugin.backend not in running:
                running[plugin.backend] = stack.enter_context(plugin.backend())
            return running[plugin.backend]

        yield server
