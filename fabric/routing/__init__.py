"""Which way: policies, the destination sweep, tables, trees, paths."""
