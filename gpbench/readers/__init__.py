"""Files of other people as arrays and typed values: images, label maps, dataset cards. No torch."""
