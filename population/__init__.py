"""Who is in the trial: real distributions, twins, eligibility."""
