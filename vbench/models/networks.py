"""The networks that are proved equal to their official ones, and where each is. Listing imports no torch.

A network's parity module has two functions:

- ``build(manifest, meta)``: the bare network with the options that the fixture names (``constructor`` or
  ``options`` of the case's meta, else of its manifest), its own buffers filled;
- ``outputs(network, inputs, meta)``: what the fixture stores, by name, computed by the network.

And it may have a third, ``allowed(output, peak, meta)``: the largest absolute difference of one output, or None
where the fixture's general tolerance holds; and a set LEVELS of outputs that are rounded to whole levels, which
in float32 may be one level off, another, SUMS, of those that are sums of whole numbers. ``where(output, stored, meta)``:
the places at which an output is compared, None for all. Where float32 can be over its tolerance though nothing is wrong,
ROUNDING says in words how that comes, and ``decided(network, exact)`` gives the network of float32 with what is decided by
rounding taken from the same network in float64.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from vbench.errors import InputError, nearest


@dataclass(frozen=True)
class NetworkSpec:
    """One network of the mission, under the name of its fixture."""

    name: str
    title: str
    paper: str
    official: str
    """The official code by name, and its licence."""
    parity: str
    """Module with ``build`` and ``outputs``."""

    def module(self) -> ModuleType:
        """The parity module; this imports torch."""
        return importlib.import_module(self.parity)


_ALL = (
    NetworkSpec(
        "dncnn", "DnCNN", "Zhang et al., TIP 2017", "SaoYan/DnCNN-PyTorch (GPL-3.0)", "vbench.models.dncnn.parity"
    ),
    NetworkSpec(
        "fastdvdnet",
        "FastDVDnet",
        "Tassano et al., CVPR 2020",
        "m-tassano/fastdvdnet (MIT)",
        "vbench.models.fastdvdnet.parity",
    ),
    NetworkSpec(
        "vnlnet", "VNLnet", "Davy et al., ICIP 2019", "axeldavy/vnlnet (GPL-3.0)", "vbench.models.vnlnet.parity"
    ),
    NetworkSpec(
        "vnl_search",
        "non-local patch search of VNLnet",
        "Davy et al., ICIP 2019",
        "axeldavy/vnlnet (GPL-3.0)",
        "vbench.models.vnlnet.search_parity",
    ),
    NetworkSpec(
        "raft",
        "RAFT",
        "Teed and Deng, ECCV 2020",
        "princeton-vl/RAFT (BSD-3-Clause)",
        "vbench.flow.raft.parity",
    ),
    NetworkSpec(
        "bimnet",
        "BIMNet",
        "Son et al., TOG 2021",
        "codeslake/PVDNet (AGPL-3.0)",
        "vbench.flow.bimnet.parity",
    ),
    NetworkSpec(
        "pixel_volume",
        "pixel volume of PVDNet",
        "Son et al., TOG 2021",
        "codeslake/PVDNet (AGPL-3.0)",
        "vbench.models.pvdnet.pixel_volume_parity",
    ),
    NetworkSpec(
        "pvdnet", "PVDNet", "Son et al., TOG 2021", "codeslake/PVDNet (AGPL-3.0)", "vbench.models.pvdnet.parity"
    ),
    NetworkSpec(
        "pvdnet_large",
        "PVDNet, large",
        "Son et al., TOG 2021",
        "codeslake/PVDNet (AGPL-3.0)",
        "vbench.models.pvdnet.parity",
    ),
    NetworkSpec(
        "pwcnet",
        "PWC-Net",
        "Sun et al., CVPR 2018",
        "csbhr/CDVD-TSP (MIT)",
        "vbench.flow.pwcnet.parity",
    ),
    NetworkSpec(
        "recons_video",
        "reconstruction network of CDVD-TSP",
        "Pan et al., CVPR 2020",
        "csbhr/CDVD-TSP (MIT)",
        "vbench.models.cdvd_tsp.recons_parity",
    ),
    NetworkSpec(
        "cdvd_tsp", "CDVD-TSP", "Pan et al., CVPR 2020", "csbhr/CDVD-TSP (MIT)", "vbench.models.cdvd_tsp.parity"
    ),
    NetworkSpec(
        "rtn",
        "RTN",
        "Wan et al., CVPR 2022",
        "raywzy/Bringing-Old-Films-Back-to-Life (no licence)",
        "vbench.models.rtn.parity",
    ),
    NetworkSpec(
        "edvr", "EDVR", "Wang et al., CVPRW 2019", "XPixelGroup/BasicSR (Apache-2.0)", "vbench.models.edvr.parity"
    ),
    NetworkSpec(
        "votes_bin",
        "BIN and the degradation feature map of VOTES",
        "Shen et al., CVPR 2020",
        "luohongming/VOTES (CC BY-NC-SA 4.0)",
        "vbench.models.votes.bin_parity",
    ),
    NetworkSpec(
        "votes", "VOTES", "Luo et al., ACM MM 2022", "luohongming/VOTES (CC BY-NC-SA 4.0)", "vbench.models.votes.parity"
    ),
    NetworkSpec(
        "rfr",
        "RFR on DnCNN, FastDVDnet and VNLnet",
        "Lee et al., CVPR 2021",
        "shlee0/RFR-video-denoising (no licence)",
        "vbench.models.rfr.parity",
    ),
)

NETWORKS: dict[str, NetworkSpec] = {network.name: network for network in _ALL}


def network_spec(name: str) -> NetworkSpec:
    """What is known of a network.

    Raises:
        InputError: no such network; the text names the nearest.

    Example:
        >>> network_spec("dncnn").title
        'DnCNN'
    """
    if name not in NETWORKS:
        raise InputError(f'There is no network "{name}" to verify. {nearest(name, NETWORKS)}')
    return NETWORKS[name]
