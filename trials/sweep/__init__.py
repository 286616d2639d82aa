"""`cutis sweep`: one device over a grid of settings, on twins of every skin type, and which settings do no harm."""
