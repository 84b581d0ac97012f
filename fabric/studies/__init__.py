"""What it means: hotspots, designs, routings, health."""
