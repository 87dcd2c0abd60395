"""PWC-Net (Sun et al., CVPR 2018), in the form in which CDVD-TSP uses and fine-tunes it."""
