"""The agent: holds the attempts that the Control Room gives, and does as it is told with each.

`agent` is the whole, `attempt` one attempt's life, `folder` where it lies on disk, `packages` and `artifacts` what is
fetched and stored, `lease` until when an attempt may run unheard, `execution` what the agent asks of whoever runs bots.
"""
