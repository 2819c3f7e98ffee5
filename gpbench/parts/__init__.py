"""What strategies share, for built-in and third-party plugins alike."""
