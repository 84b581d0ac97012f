"""What a job does: real traces read into collective operations, flows and measurements from files.

The public names stand in ``__init__.pyi`` and are loaded when they are first used: help texts need the registry alone.
"""

import lazy_loader

DISTRIBUTION = "railscope"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
