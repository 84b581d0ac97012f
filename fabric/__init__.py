"""Where traffic goes: topology, placement, routing, loads, hotspots, reports and the command line."""

DISTRIBUTION = "railscope"
