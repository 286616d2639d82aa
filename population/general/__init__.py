"""People in general: a fitted population and how twins are drawn from it."""
