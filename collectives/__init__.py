"""Who talks to whom: ranks, bytes, steps.  Knows no network.

The public names stand in ``__init__.pyi`` and are loaded when they are first used.
"""

import lazy_loader

DISTRIBUTION = "railscope"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
