"""Imported once, by the process that job processes are copies of.

What a call would otherwise import, read or build when it first needs it, and be held up by.
"""

from livekit.agents.tokenize import basic
from livekit.agents.utils import http_context

import agent.call.session  # noqa: F401
from agent.llm.client import certificates

basic.hyphenate_word("hyphen")  # builds the table by which captions are paced
http_context._create_ssl_context()
certificates()
