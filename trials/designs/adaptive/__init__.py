"""Designs that change after a look: combination tests, sample size, arms, populations, allocation."""
