"""Ways to prove who one is, one file each; every one of them ends in `sessions.Sessions.open`."""
