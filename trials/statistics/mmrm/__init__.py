"""Mixed models for repeated measures (MMRM): fits by restricted maximum likelihood, tests for small samples."""
