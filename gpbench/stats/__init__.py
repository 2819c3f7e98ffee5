"""Tests, intervals and corrections on plain numbers. No randomness, and no scipy.stats."""
