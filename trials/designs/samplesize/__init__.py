"""Sample size and power of designs with one analysis."""
