"""AWS JSON to model and back, without any socket."""
