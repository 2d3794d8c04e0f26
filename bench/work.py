"""Count the multiplications that a network needs for one image: python bench/work.py

The architectures of `models list` with random weights; needs the extra `torch`, and torchvision.
"""

from __future__ import annotations

import timm
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import vgg19

TO_BLOCK4_POOL = 28  # layers of VGG19
NETWORKS = {
    "VGG": (lambda: vgg19(weights=None).features[:TO_BLOCK4_POOL], 224),
    "Inception_Resnet": (lambda: timm.create_model("inception_resnet_v2", num_classes=0), 299),
    "EfficientNet-Lite0": (lambda: timm.create_model("tf_efficientnet_lite0", num_classes=0), 320),
    "EfficientNet-Lite2": (lambda: timm.create_model("tf_efficientnet_lite2", num_classes=0), 320),
    "SigLIP ViT-B/16": (lambda: timm.create_model("vit_base_patch16_siglip_224", num_classes=0), 224),
    "SigLIP2-B-384": (lambda: timm.create_model("vit_base_patch16_siglip_384", num_classes=0), 384),
    "ViT-B/32": (lambda: timm.create_model("vit_base_patch32_224", num_classes=0), 224),
    "DINOv2-S": (lambda: timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=224), 224),
}

for name, (make, size) in NETWORKS.items():
    network = make().eval().requires_grad_(False)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    print(f"{name:18} {counter.get_total_flops() / 2e9:6.1f} billion")
