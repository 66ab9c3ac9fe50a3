"""The web UI, rendered on the server: shell, theme, components, pages, and small ES modules where HTML is not enough.

`mount.mount_web` puts it onto an app. A page's view calls the same services as the API.
"""
