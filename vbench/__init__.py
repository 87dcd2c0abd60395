"""The suite that ties it together: clips, data sets, models, metrics, runner, command line."""

__version__ = "0.1.0"
