"""The list of users, and the form that makes one."""
