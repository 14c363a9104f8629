"""What each event does to the state: one module per family of events, one function per event."""
