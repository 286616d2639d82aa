"""Acne: the model, its treatments, what a trial measures of it."""
