"""Facts of a tile and their explanation in checked sentences."""
