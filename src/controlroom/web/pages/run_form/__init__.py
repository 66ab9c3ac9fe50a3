"""The form that asks for a run, made from the bot's schema."""
