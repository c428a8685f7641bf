"""``eloquence doctor``: examines everything that a call needs, and says what to do.

`agent.doctor.registry` lists the checks, `agent.doctor.runner` runs them, `agent.doctor.capacity`
estimates how many calls the machine should take.
"""
