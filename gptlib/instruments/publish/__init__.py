"""For those who write notebooks: keep them true, and show them as web pages."""
