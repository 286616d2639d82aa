"""Reports of a calibration and of its validation."""
