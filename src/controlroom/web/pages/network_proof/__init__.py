"""The pages of proofs of what firewalls hold."""
