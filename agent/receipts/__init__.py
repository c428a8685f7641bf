"""Receipts: what each turn's wait was made of, measured from mouth to ear."""
