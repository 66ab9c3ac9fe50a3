"""How open pages follow what happens: who fetches when, and one rendering for all who may see the same."""
