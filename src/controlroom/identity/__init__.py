"""Who people and programs are and what they may do: users, roles, sessions, API keys.

`caller.Caller` is whoever makes a request; `permissions.Permission` is the one list of rights.
"""
