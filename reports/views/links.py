"""Where the pages of data sets and the cards of models stand."""

from __future__ import annotations

from reports.site import slug


def dataset_path(dataset: str) -> str:
    """The page of a data set, from the report's folder.

    Example:
        >>> dataset_path("noise-gaussian15")
        'boards/noise-gaussian15.html'
    """
    return f"boards/{slug(dataset)}.html"


def model_anchor(model: str) -> str:
    """The card of a model, from the report's folder.

    Example:
        >>> model_anchor("dncnn")
        'models.html#model-dncnn'
    """
    return f"models.html#model-{slug(model)}"
