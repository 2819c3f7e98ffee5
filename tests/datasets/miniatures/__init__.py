"""Published datasets in small: a few made-up images each, in their authentic layouts."""
