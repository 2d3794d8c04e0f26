"""Why a product was found: the parts of its score, and the region of the photo that carried it."""
