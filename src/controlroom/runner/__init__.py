"""The Bot Runner: the agent that executes bots on a machine. It calls out to one Control Room and is never called.

`link` carries messages, `spool` keeps what is to be delivered, `agent` holds the attempts, `execution` carries one out in an
environment of `environments`, warm where `warm` allows; `platform` is what differs between operating systems.
"""
