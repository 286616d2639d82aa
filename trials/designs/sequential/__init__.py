"""Group sequential designs: when to look, when to stop, how many people, what may be said afterwards."""
