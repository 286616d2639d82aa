"""Who gets which arm: permuted blocks and minimisation, as functions of addressed keys."""
