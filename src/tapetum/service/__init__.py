"""The HTTP service over one gallery, and the operators' page."""
