"""The words of gpbench as plain values. Imports nothing but the standard library."""
