"""The parts of ``degradations.film.statistics``: how each trait of old film is measured on a clip."""
