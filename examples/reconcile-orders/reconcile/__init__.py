"""Reconciles what was ordered with what was billed.

`orders`, `ledger` and `invoices` read the three kinds of file, `matching` and `checks` decide, `workbook` writes it down.
Only `main.py` beside this package knows that it runs as a bot.
"""
