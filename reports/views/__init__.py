"""What each page says, computed from the boards: plain values, ready to be set by the template of the page."""
