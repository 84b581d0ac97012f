"""Ethernet fabrics, which have no subnet manager: cabling plans, and what neighbours say of each other."""
