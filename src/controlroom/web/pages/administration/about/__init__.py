"""What runs here, and the licences of its parts."""
