"""Whether the twins of a fitted model give away the people it was fitted to."""
