"""``python -m lipgeo``: the same as the command ``lipgeo``."""

from lipgeo.cli import main

if __name__ == "__main__":
    main()
