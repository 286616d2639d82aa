"""Trials without an effect, one for each analysis and design: what `bench/nulls.py` counts rejections of."""
