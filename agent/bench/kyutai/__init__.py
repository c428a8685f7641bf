"""`eloquence bench kyutai`: what our plugin takes of a server's time."""
