"""How long: fair rates, protocols, latency and bandwidth, fits, predictions."""
