"""What InfiniBand tools print: subnets, links, forwarding tables."""
