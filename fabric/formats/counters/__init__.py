"""Counters of ports as the tools of fabrics write them: a reader a file, one registry, one `Snapshot`."""
