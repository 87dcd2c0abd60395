"""Optical flow: estimators and what is done with their results."""
