"""One audit entry, with what was before and after."""
