#!/bin/sh
# Debian's part of the peers: graph-tool, and SimGrid with a compiler.  Without the right to install them the benchmark
# runs without, and says so.
set -eu
[ "$(id -u)" = 0 ] || command -v sudo > /dev/null || exit 0
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
command -v apt-get > /dev/null || exit 0
as_root apt-get update -qq || exit 0
as_root apt-get install -y -qq --no-install-recommends python3-graph-tool libsimgrid-dev g++ > /dev/null || true
