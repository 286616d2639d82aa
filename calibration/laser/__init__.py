"""Calibration of what lasers and lamps do to skin, to published trials."""
