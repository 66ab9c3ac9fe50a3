"""The network site that this Control Room keeps: its versions, what follows from each, and what proofs and probes found.

The network contract itself, `controlroom.network`, knows nothing of servers and databases. This room keeps a site file
for it, asks it in a process of its own with limits on time and memory, and remembers the answers that people look at.
"""
