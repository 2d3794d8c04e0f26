"""The first version's entry point: ``python main.py --task ...``."""

import sys

from image_similarity.cli.first_version import main

if __name__ == "__main__":
    sys.exit(main())
