"""The network contract: which part of the data centre speaks to which, on what port, and nothing more.

From one declared site this room derives the exact set of packets that may pass, renders it in the language of each
firewall, and proves what a firewall really does against it. It needs no server, no database and no other room.
"""
