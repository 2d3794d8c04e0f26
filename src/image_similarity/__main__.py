"""``python -m image_similarity``."""

from image_similarity.cli import main

if __name__ == "__main__":
    main()
