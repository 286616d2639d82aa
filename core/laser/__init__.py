"""Lasers and other light on skin: optics, light transport, heat, damage."""
