"""VOTES (Luo et al., ACM MM 2022): EDVR that is told where restoration is hard, for videos shared on social media."""
