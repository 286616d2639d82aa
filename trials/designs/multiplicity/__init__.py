"""Several hypotheses, one error rate: graphs, closed tests, stepwise procedures, gatekeeping."""
