"""Statistical methods of single endpoints as pure functions: arrays in, one `Estimate` out.

Importing this room switches JAX to 64-bit numbers, in which all of it computes (`core`).
"""

from .... import core as core
