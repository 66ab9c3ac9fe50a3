"""What people see when something fails."""
