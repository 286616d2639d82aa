"""From a table of people to a population: reading, fitting and judging."""
