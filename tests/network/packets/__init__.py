"""Network namespaces in which rendered rules meet real packets."""
