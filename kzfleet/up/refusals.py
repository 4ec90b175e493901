class CannotStart(Exception):
    """Something this machine lacks. The text is one sentence that says what is wrong and what to do."""
