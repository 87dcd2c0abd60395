"""What the user can mend while a clip is damaged."""

from __future__ import annotations


class CannotDamage(ValueError):
    """This machine, these files or this clip do not allow what a step is asked for: an encoder that is missing, a
    folder of textures that is gone, frames that are not square. The text is a sentence that says what to do."""
