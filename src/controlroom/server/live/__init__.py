"""Live streams: what happens, and a run's log as it grows, over server-sent events and WebSockets, both resumable."""
