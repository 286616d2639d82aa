"""Thermal damage of skin: rate kinetics, burns, and short pulses that break particles before heat leaves them."""
