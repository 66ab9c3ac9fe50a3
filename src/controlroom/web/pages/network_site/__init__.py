"""The pages on which a site is declared, and its versions."""
