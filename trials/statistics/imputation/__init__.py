"""Values in place of missing ones: non-response, missing at random, references, shifts; and how results are pooled."""
