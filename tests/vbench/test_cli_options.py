"""Options that several commands share."""

from __future__ import annotations

import pytest

from vbench.cli_options import split
from vbench.errors import UsageError


def test_nothing_is_all_and_an_empty_name_is_an_error() -> None:
    """An empty shell variable must not run everything."""
    assert split(None) == split([]) == []
    assert split(["a,", "b"]) == ["a", "b"]
    for given in ([""], [" , "], ["", ""]):
        with pytest.raises(UsageError, match="was given none"):
            split(given)
