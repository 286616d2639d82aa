"""Analyses: a table in, results out."""
