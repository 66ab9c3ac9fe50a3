"""Second factors: what a person proves themselves with beside the password. One kind a file, and recovery codes."""
