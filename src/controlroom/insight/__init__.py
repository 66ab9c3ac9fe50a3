"""What the Control Room can say about itself at a glance: what is broken, what runs, what comes next, how the devices are.

It owns no state: figures come from the rooms below, and trends from the measures that runs keep up as they end.
"""
