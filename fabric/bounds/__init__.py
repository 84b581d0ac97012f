"""What nobody can beat: cuts and the linear program."""
