"""Where traffic goes: topology, placement, routing, loads, hotspots, reports and the command line.

The public names stand in ``__init__.pyi`` and are loaded when they are first used, so that the command line starts at
once.
"""

import lazy_loader

DISTRIBUTION = "railscope"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
