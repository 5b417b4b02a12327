"""How the documentation is built: ``python3 dev.py docs``; no network, warnings are errors."""

from __future__ import annotations

import shutil
from pathlib import Path

from lipgeo import __version__

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE / "examples"

# Sphinx reads pages below its own folder only: the notebooks of examples/ are copied beside them
shutil.rmtree(EXAMPLES, ignore_errors=True)
shutil.copytree(HERE.parent / "examples", EXAMPLES, ignore=shutil.ignore_patterns(".*", "_*"))

project = "lipgeo"
author = "the lipgeo authors"
copyright = "the lipgeo authors"
version = release = __version__
language = "en"

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "signature"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "lipgeo"
html_static_path = ["_static"]
html_css_files = ["lipgeo.css"]
# a page that stands alone has nothing to list beside it
html_sidebars = {name: [] for name in ("index", "install", "tutorial", "notebooks", "glossary")}
html_sidebars |= {"known-limits": []}
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navigation_depth": 2,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "search_bar_text": "Search / Chercher",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
