"""Pictures and videos of the report: made of stored frames, within a budget, each once."""

from reports.media.export import ClipMedia, MaskMedia, Media, SourceMedia, export
from reports.media.old import _plan, _Series, _Source, _spread, export_media

__all__ = [
    "ClipMedia",
    "MaskMedia",
    "Media",
    "SourceMedia",
    "_Series",
    "_Source",
    "_plan",
    "_spread",
    "export",
    "export_media",
]
