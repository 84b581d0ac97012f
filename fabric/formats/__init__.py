"""Fabrics and tables as others write them."""
