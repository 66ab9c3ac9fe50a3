"""Private servers for tests, one file each: on a free port, in a temporary folder, gone afterwards."""
