"""What the notebook user sees: magics, engines, figures, panels, routes."""
