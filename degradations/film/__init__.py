"""Old film: what the print, the dirt on it, the gate and the lamp do to a picture.

Sizes and strengths are meant for a picture of 480 lines and scale with its height, as they would on a scan.
They are calibrated to what measurements of real transfers show (``statistics``): small translucent specks of both
polarities with bursty counts, faint wandering scratches and rain, grain that is coarse and weak in shadows, slow
flicker, weave of a fraction of a pixel. Film in black and white is worked on as one plane (see ``common.planes_of``).
"""
