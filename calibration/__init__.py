"""How the numbers of a model are estimated from published evidence, and how well it predicts trials it has not seen."""
