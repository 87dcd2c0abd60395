"""Compression through real encoders: constant quantiser, target rate, packet loss, and JPEG of each frame.

A clip goes as raw pictures into one FFmpeg process (``process``), whose stream is decoded at once while the encoder
goes on (``pictures``); what each frame cost and how it was quantised is read from the stream (``readback``).
"""
