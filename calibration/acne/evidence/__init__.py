"""The published evidence on treatments of acne, as tables of the project."""
