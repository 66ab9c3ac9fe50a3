"""Warm interpreters: fork servers that start a bot in milliseconds, and the keepers that watch over each one.

`inside` holds what runs in an environment's own interpreter and uses the standard library only; `hosts` and `pool` are
the runner's side.
"""
