"""Second-order random degradation: blur, resize, noise and compression, twice, as RealBasicVSR and Real-ESRGAN do it.

``kernels`` blur kernels and walks · ``stages`` what a stage is, blur and resize · ``noise_jpeg`` · ``video`` ·
``chain`` the stages as one degradation.
"""
