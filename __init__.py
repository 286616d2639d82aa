"""Cutis: an in-silico clinical trial engine for skin."""
