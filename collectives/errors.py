"""The one error that users see."""


class InputError(ValueError):
    """Input that railscope refuses.

    The message is one line that names the file, line or key and says what was expected.  The command line
    prints it as it stands and exits 1; a library user catches it.
    """
