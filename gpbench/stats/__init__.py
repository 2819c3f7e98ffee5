"""Tests, intervals and corrections on plain numbers. Randomness only from a generator handed in."""
