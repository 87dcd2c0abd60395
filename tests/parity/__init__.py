"""Networks against what the official ones compute."""
