"""What people and scripts get to see: tables, the diagram, explanations, changes and verdicts in several formats."""
