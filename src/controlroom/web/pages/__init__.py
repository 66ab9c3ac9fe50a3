"""The pages, one folder each: its view and its template."""
