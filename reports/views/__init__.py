"""What each page says, computed from the boards: plain values, ready to be set by the template of the page."""

from reports.views.boards import dataset_groups, dataset_pages
from reports.views.citations import citations
from reports.views.damage import anchor as damage_anchor
from reports.views.damage import profiles as damage_profiles
from reports.views.links import dataset_path
from reports.views.method import method
from reports.views.models import cards
from reports.views.overview import overview
from reports.views.severity import severity_profiles
from reports.views.summaries import Glimpse, glimpses
from reports.views.waiting import unfit, waiting

__all__ = [
    "Glimpse", "cards", "citations", "damage_anchor", "damage_profiles", "dataset_groups", "dataset_pages", "dataset_path",
    "glimpses", "method", "overview", "severity_profiles", "unfit", "waiting",
]  # fmt: skip
