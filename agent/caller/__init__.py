"""The scripted caller: places a real call and measures what a caller hears.

`agent.caller.call.place_call` is the library, `agent.caller.cli.call` the command.
"""
