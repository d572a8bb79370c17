"""Tools around the lessons that are not taught: to watch, save, look inside, draw and measure."""
