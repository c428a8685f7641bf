"""The one error that reaches a person."""


class UserError(Exception):
    """Something the user can put right.

    Its text is one clear sentence that says what is wrong and what to do; the command line prints
    it alone, without a traceback, and exits with status 1.
    """
