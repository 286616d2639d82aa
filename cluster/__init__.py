"""Where it runs: shards, local and Ray executors, the store of a run."""
