"""What runs where: placement, hosts, traffic."""
