"""Damaged inputs of every form: each is read, or refused in one line, in little time and memory."""
