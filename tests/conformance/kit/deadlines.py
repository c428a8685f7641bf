"""Every deadline of the kit, scaled by one factor for slow machines."""

import os

FACTOR = float(os.environ.get("CONFORMANCE_FACTOR", "1"))
"""``CONFORMANCE_FACTOR=3`` triples every deadline below."""

PATIENT = FACTOR * float(os.environ.get("CONFORMANCE_PATIENCE", "1"))
"""``CONFORMANCE_PATIENCE=10`` is for a voice that thinks long before it speaks: all deadlines but
`CLOSE` are ten times as long."""

TIMEOUT = 0.4 * PATIENT
"""What a rule about stalls gives the plugin as its connection timeout, in seconds."""

LATE = 1.5 * PATIENT
"""After this long a plugin that was given `TIMEOUT` has not kept it."""

PATIENCE = 8.0 * PATIENT
"""The connection timeout of rules that expect an answer."""

AUDIO = 3.0 * PATIENT
"""Within this long a voice that is not slowed down says something."""

CLOSE = 0.1 * FACTOR
"""How long closing a stream may take: a barge-in waits for it."""

CASE = 40.0 * PATIENT
"""A whole case; what is not over by then hangs."""

SOAK_CASE = 1800.0 * PATIENT
"""A whole case in its full form."""

RETRY = 0.05
"""Pause between two attempts. The framework waits 0.1 s before the first one in any case."""
