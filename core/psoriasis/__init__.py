"""Psoriasis: model, treatments, what is measured."""
