"""What runs inside an environment's interpreter, copied there with the SDK: standard library only, Python 3.9 or later.

`host` is the fork server, `keeper` the process between it and one bot, `launch` runs the bot's code, `ending` ends its
process.
"""
