"""RAFT (Teed and Deng, ECCV 2020): optical flow by all-pairs correlation and recurrent refinement."""
