"""Hydra configuration groups: everything a user changes."""
