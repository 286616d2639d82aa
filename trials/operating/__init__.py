"""Operating characteristics of a design: thousands of replicates of a trial, drawn from simulated twins."""
