"""Networks: timm backbones at any channel count, and segmentors with mmseg's decode heads."""
