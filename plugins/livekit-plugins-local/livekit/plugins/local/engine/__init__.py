"""The engine: one process that owns the speech models and serves every call.

Only the engine process imports this package; plugins talk to it over a socket (see
`livekit.plugins.local.protocol`).
"""
