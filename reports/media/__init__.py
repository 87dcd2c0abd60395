"""Pictures and videos of the report: made of stored frames, within a budget, each once."""

from reports.media.export import ClipMedia, MaskMedia, Media, SourceMedia, Thumb, export

__all__ = ["ClipMedia", "MaskMedia", "Media", "SourceMedia", "Thumb", "export"]
