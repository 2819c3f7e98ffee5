"""Networks: timm backbones at any channel count, their weights, and segmentors with mmseg's decode heads."""
