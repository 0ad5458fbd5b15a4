"""Vectors kept and searched."""
