"""The command line: parse, call the other rooms, print. Nothing is computed here."""
