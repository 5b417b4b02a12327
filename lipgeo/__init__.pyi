"""Types of the public names, which load on first use (``lipgeo/__init__.py``)."""

from lipgeo import errors as errors
from lipgeo import geography as geography
from lipgeo import registry as registry
from lipgeo import spark as spark
from lipgeo import synthetic as synthetic
from lipgeo import words as words
from lipgeo._version import __version__ as __version__
from lipgeo.areas.service_areas import ServiceAreas as ServiceAreas
from lipgeo.boundary.boundaries import Boundaries as Boundaries
from lipgeo.boundary.fit import fit_boundaries as fit_boundaries
from lipgeo.boundary.tradeoff import Tradeoff as Tradeoff
from lipgeo.boundary.tradeoff import tradeoff as tradeoff
from lipgeo.census.census import Census as Census
from lipgeo.crosswalk.build import build_crosswalk as build_crosswalk
from lipgeo.crosswalk.correspondence import Correspondence as Correspondence
from lipgeo.crosswalk.crosswalk import Crosswalk as Crosswalk
from lipgeo.crosswalk.vintages import vintage_crosswalk as vintage_crosswalk
from lipgeo.maps.preview import preview as preview
from lipgeo.order.diff import diff_orders as diff_orders
from lipgeo.order.package import write_order as write_order
from lipgeo.order.verify import verify_order as verify_order
from lipgeo.portal.indicators.dictionary import indicators as indicators
from lipgeo.portal.pages.fast_facts import write_facts as write_facts
from lipgeo.portal.pages.site import build_site as build_site
from lipgeo.portal.portal import open_portal as open_portal
from lipgeo.readers.areas import read_service_areas as read_service_areas
from lipgeo.readers.layers import read_layer as read_layer
from lipgeo.readers.statcan.correspondence import read_correspondence as read_correspondence
from lipgeo.readers.statcan.profile import read_profile as read_profile
from lipgeo.readers.tables import read_table as read_table
from lipgeo.registry.compile import compile_set as compile_set
from lipgeo.registry.compile import diff_sets as diff_sets
from lipgeo.registry.coverage import gaps as gaps
from lipgeo.registry.set_files import read_set as read_set
from lipgeo.registry.set_files import write_set as write_set
from lipgeo.registry.template import write_template as write_template
from lipgeo.report import CheckReport as CheckReport
from lipgeo.store.add import add_census as add_census
from lipgeo.store.damage import verify_store as verify_store
from lipgeo.store.read import open_census as open_census
from lipgeo.store.results import read_build as read_build
from lipgeo.store.results import read_crosswalk as read_crosswalk
from lipgeo.store.results import write_build as write_build
from lipgeo.store.results import write_crosswalk as write_crosswalk
from lipgeo.store.tables.importing import add_table as add_table
from lipgeo.store.tables.opening import open_table as open_table
from lipgeo.tables.calibrate import calibrate as calibrate
from lipgeo.tables.census_table import CensusTable as CensusTable
from lipgeo.tables.comparison import Comparison as Comparison
from lipgeo.tables.comparison import compare as compare
from lipgeo.tables.estimates import Estimates as Estimates
from lipgeo.tables.long_table import LongTable as LongTable
from lipgeo.tables.weight import weight_table as weight_table
from lipgeo.tables.weight_areas import weight_areas as weight_areas
from lipgeo.zones.zones import Zones as Zones

__all__ = [
    "Boundaries",
    "Census",
    "CensusTable",
    "CheckReport",
    "Comparison",
    "Correspondence",
    "Crosswalk",
    "Estimates",
    "LongTable",
    "ServiceAreas",
    "Tradeoff",
    "Zones",
    "__version__",
    "add_census",
    "add_table",
    "build_crosswalk",
    "build_site",
    "calibrate",
    "compare",
    "compile_set",
    "diff_orders",
    "diff_sets",
    "errors",
    "fit_boundaries",
    "gaps",
    "geography",
    "indicators",
    "open_census",
    "open_portal",
    "open_table",
    "preview",
    "read_build",
    "read_correspondence",
    "read_crosswalk",
    "read_layer",
    "read_profile",
    "read_service_areas",
    "read_set",
    "read_table",
    "registry",
    "spark",
    "synthetic",
    "tradeoff",
    "verify_order",
    "verify_store",
    "vintage_crosswalk",
    "weight_areas",
    "weight_table",
    "words",
    "write_build",
    "write_crosswalk",
    "write_facts",
    "write_order",
    "write_set",
    "write_template",
]
