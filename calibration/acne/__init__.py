"""Acne: the published evidence, and the estimates drawn from it."""
