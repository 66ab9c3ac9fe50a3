"""What a bulk action will do, said before it is done, and what became of it: templates that lists share."""
