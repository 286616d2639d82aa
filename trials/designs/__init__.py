"""What a trial may be: looks at the data, adaptations, multiplicity, allocation, doses, sample size."""
