"""Forms made from JSON Schemas: `fields` lays them out, `reading` turns what was typed back into values."""
