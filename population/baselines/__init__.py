"""Published baseline tables: who real trials enrolled."""
