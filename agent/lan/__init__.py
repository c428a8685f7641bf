"""The local network: address, certificate and access code of ``eloquence up --lan``."""
