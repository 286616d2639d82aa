"""Psoriasis: the published evidence, the estimates drawn from it, and their validation."""
