"""Analogue video tape: interlacing, the channel of a VHS recorder and its faults, and deinterlacing.

The path of the signal: ``interlace`` has the two fields of a frame and how they are made one again, ``signal`` the
lines of a television system, their frequencies and the filters along them, ``timebase`` how lines are displaced,
``faults`` what is local (dropouts, tracking, head switching), and ``tape`` puts these into one step.
"""

from degradations.vhs.interlace import Deinterlace, Interlace
from degradations.vhs.tape import Tape

__all__ = ["Deinterlace", "Interlace", "Tape"]
