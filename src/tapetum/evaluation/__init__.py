"""Protocols and metrics: numbers only, no torch."""
