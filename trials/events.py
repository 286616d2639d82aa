"""How the rows of a run's table of events are called."""

STOPPED, LEFT, RESCUED = "treatment stopped", "left the study", "rescue started"
INTERCURRENT = (STOPPED, LEFT, RESCUED)  # after which an outcome says less of the treatment
MOVED, ADVERSE = "moved to ", "adverse event: "  # before the name of a stage, of a kind of event
BOTH_SIDES = "both sides"  # the arm of what happens to a person who is given two arms; no arm can be called so
