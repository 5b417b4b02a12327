"""Beyond one machine: Apache Spark does the overlay and the sums of large tables (extra ``spark``).

An existing engine, no home-made cluster: Spark reads the census, moves it and watches the work;
what is computed, and so every number, is lipgeo's own kernel.
"""

from lipgeo.spark.crosswalks import build_crosswalk
from lipgeo.spark.sessions import engine, open_session

__all__ = ["build_crosswalk", "engine", "open_session"]
