"""Skin, genes, surroundings and habits of a twin, given who it is, and the same given what a clinic has measured."""
