"""What is timed, beside peers and lower bounds: ``make bench``."""
