"""What is done to whom and what it shows: protocol, conduct, statistics, report, command line."""
