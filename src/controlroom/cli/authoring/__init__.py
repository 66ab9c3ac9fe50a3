"""The commands of the group `bot`: `local` need no Control Room, `published` speak with one, `console` shows a trial."""
