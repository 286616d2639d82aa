"""How like the people a fitted population is: margins, dependence, subgroups, a classifier, impossible combinations."""
