"""MCP-Mod: is there a dose-response signal, what does the curve look like, which dose reaches the target."""
