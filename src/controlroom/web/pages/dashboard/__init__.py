"""The first page: what is broken, what runs, what comes next, how the devices are, and how it went of late."""
