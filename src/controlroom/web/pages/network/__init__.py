"""The first page of the network contract: zones, flows, diagram."""
