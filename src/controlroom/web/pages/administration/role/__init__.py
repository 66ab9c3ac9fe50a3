"""One role: what it lets one do, who has it; made, edited, removed."""
