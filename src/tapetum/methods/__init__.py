"""What every paper here promises, and one paper a file."""
