"""The one error that users see."""

from collectives.saying import one_line


class InputError(ValueError):
    """Input that railscope refuses.

    The message is one line (`collectives.saying.one_line`) that names the file, line, key or argument and says what was
    expected.  The command line prints it as it stands and exits 1; a library user catches it.

    Parameters
    ----------
    text : str
    option : str
        What the command line says behind it: which of its options helps.

    Attributes
    ----------
    option : str
    """

    def __init__(self, text: str, option: str = "") -> None:
        super().__init__(one_line(text))
        self.option = option
