"""Statistical methods of single endpoints as pure functions: arrays in, one `Estimate` out."""
