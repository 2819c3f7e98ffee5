"""Images as training reads them: the tile store, windows, order, random draws, augmentation."""
