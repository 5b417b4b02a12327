"""Hold lipgeo's version: hatch reads it here, and rooms that write it into files import it."""

__version__ = "0.1.0"
