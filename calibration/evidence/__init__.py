"""Readers of published evidence that the diseases share: entries of tables, regimens, trials and single facts."""
