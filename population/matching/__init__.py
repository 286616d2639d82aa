"""Twins that look, as a group, like a published baseline table."""
