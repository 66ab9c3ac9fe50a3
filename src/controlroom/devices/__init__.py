"""Devices, pools and the tokens by which runners join; who is present."""
