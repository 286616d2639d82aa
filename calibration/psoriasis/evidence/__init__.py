"""The published evidence on treatments of psoriasis, as tables of the project."""
